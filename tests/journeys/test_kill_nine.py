"""kill -9 of Lockstep, of a worker and of PostgreSQL in the middle of an initial cycle: afterwards everybody exists exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from lockstep.actions import applications, credentials, sources, status
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Actor, Context
from lockstep.cli.up.expectations import Expectation, rows
from lockstep.cli.up.verification import ScimAccountReader, compare_everybody
from lockstep.postgres import embedded
from lockstep.settings import load_settings
from lockstep.sources import demo
from lockstep.vault import Secret
from lockstep.wiring import open_house

BIN = Path(sys.executable).parent
PEOPLE = 600
VICTIMS = ("serve", "worker", "postgres")
DEADLINE_SECONDS = 240.0
Tenant = Mapping[str, Any]


@pytest.fixture
def folders() -> Iterator[Callable[[], Path]]:
    """Make folders for Lockstep's data, removed after the test."""
    made: list[Path] = []

    def make() -> Path:
        folder = Path(tempfile.mkdtemp(prefix="lk"))
        folder.chmod(0o711)
        made.append(folder)
        return folder

    yield make
    for folder in made:
        embedded.remove(folder / "data")
        shutil.rmtree(folder)


@pytest.fixture
def folder(folders: Callable[[], Path]) -> Path:
    return folders()


@pytest.fixture
def tenants() -> Iterator[list[Tenant]]:
    """A tenant for each victim in a separate Documo with its own database, which is not killed here."""
    command = [str(BIN / "documo"), "sandbox", "--rate", "0", "--tenants", str(len(VICTIMS))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["tenants"]
    process.terminate()
    process.wait(timeout=30)


class House:
    """Lockstep's processes on one data folder."""

    def __init__(self, data: Path, origin: str) -> None:
        self.data = data
        self.environment = {**os.environ, "LOCKSTEP_OUTBOUND_ALLOW": origin, "LOCKSTEP_DATA": str(data)}
        self.log = (data.parent / "log").open("ab")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        command = ["serve", "--port", str(free_port())] if name == "serve" else ["worker"]
        self.processes[name] = subprocess.Popen(
            [BIN / "lockstep", *command], env=self.environment, stdout=self.log, stderr=self.log
        )

    def kill(self, name: str) -> None:
        if name == "postgres":
            pid = int((self.cluster / "postmaster.pid").read_text().split()[0])
            psutil.Process(pid).kill()
            return
        self.processes[name].kill()
        self.processes[name].wait()

    @property
    def cluster(self) -> Path:
        return next(path.parent for path in self.data.rglob("postmaster.pid"))

    def end(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            process.kill()
        self.log.close()


def free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.asynccontextmanager
async def context_of(data: Path) -> AsyncIterator[Context]:
    settings = load_settings({}, {"data": data})
    async with open_house(settings, main=False) as house:
        yield house.context(Actor("test", is_operator=True))


async def prepare(folder: Path, documo: Tenant) -> Path:
    """The set-up: the people, Documo connected, provisioning on for everybody. Returns people.csv."""
    files = demo.generate(folder / "csv", people=PEOPLE, seed=7)
    async with context_of(folder / "data") as context:
        await sources.save_source(context, "hr", kind="csv", config={"files": [{"path": str(files.people)}]})
        await sources.import_source(context, "hr")
        await applications.add_application(context, "documo")
        await credentials.set_credentials(
            context, "documo", tenant_url=documo["base_url"], secret_token=Secret(documo["token"])
        )
        await settings_actions.change_settings(context, "documo", mode="automatic", scope="all", status="on")
    return files.people


async def until_done(data: Path, give_up_at: float) -> None:
    """Wait until nothing is left to do. PostgreSQL may be down at any time."""
    while True:
        assert time.monotonic() < give_up_at, "the cycle did not end"
        try:
            async with context_of(data) as context:
                while time.monotonic() < give_up_at:
                    now = await status.show_status(context, "documo")
                    if now.running is None and now.last is not None and now.waiting == 0:
                        return
                    await asyncio.sleep(0.2)
        except Exception:  # any error from a killed database: look again
            await asyncio.sleep(0.2)


async def count_accounts(documo: Tenant) -> int:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {documo['token']}"}) as client,
        client.get(f"{documo['base_url']}/Users?count=0") as answer,
    ):
        return int((await answer.json(content_type=None))["totalResults"])


async def one_round(folder: Path, people: Path, documo: Tenant, chance: random.Random, victims: list[str]) -> list[str]:
    """Kill each of *victims* at a random moment of one initial cycle; returns the errors found in Documo afterwards."""
    house = House(folder / "data", documo["base_url"].removesuffix("/scim/v2"))
    reader = ScimAccountReader(documo["base_url"], documo["token"])
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    try:
        house.start("serve")
        house.start("worker")
        for share in sorted(chance.uniform(0.02, 0.9) for _ in victims):
            victim = victims.pop()
            while await count_accounts(documo) < int(share * PEOPLE):
                assert time.monotonic() < give_up_at, "the cycle stands still"
                await asyncio.sleep(0.02)
            house.kill(victim)
            if victim != "postgres":  # PostgreSQL is started again by those who use it
                house.start(victim)
        await until_done(folder / "data", give_up_at)
        accounts = await reader.listing()
    finally:
        await reader.close()
        house.end()
    expected = {
        row["userPrincipalName"].lower(): Expectation(
            row["userPrincipalName"], row["givenName"], row["surname"], "", active=True
        )
        for row in rows(people)
        if row["accountEnabled"] == "True"
    }
    names = [account["userName"].lower() for account in accounts]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(names) != len(set(names)) else []
    local = frozenset(name for name in names if name not in expected and name.endswith("@sandbox.example"))
    found = compare_everybody(expected, dict(zip(names, accounts, strict=True)), unmanaged=local)
    return [f"{name} exists twice" for name in twice] + [str(one) for one in found.mismatches]


async def test_everybody_exists_exactly_once_after_kill_nine(
    folders: Callable[[], Path], tenants: list[Tenant]
) -> None:
    """Each victim in a Lockstep of its own, all at the same time, because most of it is the wait until a lease ends."""
    houses = [folders() for _ in VICTIMS]
    people = [await prepare(folder, tenant) for folder, tenant in zip(houses, tenants, strict=True)]

    wrong = await asyncio.gather(
        *(
            one_round(folder, file, tenant, random.Random(), [victim])
            for victim, folder, file, tenant in zip(VICTIMS, houses, people, tenants, strict=True)
        )
    )

    assert dict(zip(VICTIMS, wrong, strict=True)) == {victim: [] for victim in VICTIMS}


@pytest.mark.soak
@pytest.mark.parametrize("number", range(20))
async def test_everybody_exists_exactly_once_after_many_kills(number: int, folder: Path, tenants: list[Tenant]) -> None:
    chance = random.Random(number)
    victims = [chance.choice(VICTIMS) for _ in range(chance.randint(1, 3))]
    people = await prepare(folder, tenants[0])

    wrong = await one_round(folder, people, tenants[0], chance, victims)

    assert wrong == []
