"""kill -9, stopped workers and lost answers while people come, go and are renamed: in the end exactly the right people have access.

The number of people and the seeds can be given: SOAK_PEOPLE, SOAK_ROUNDS (how many), SOAK_FIRST (the first seed). Each round prints
a line of JSON; for a round that fails, Lockstep's records are written to the folder SOAK_EVIDENCE.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from lockstep.actions import applications, assignments, credentials, groups, people, provisioning, sources, status
from lockstep.actions import settings as settings_actions
from lockstep.cli.up.verification import ScimAccountReader
from lockstep.sources import demo
from lockstep.vault import Secret
from tests.journeys.application_compared import Wrong, keep_evidence, wrong_in
from tests.journeys.people_who_change import FILTER, GROUPS, Crowd, keep_changing
from tests.journeys.test_kill_nine import House, context_of, folder, folders, free_port, until_done

__all__ = ["folder", "folders"]  # fixtures

PEOPLE = int(os.environ.get("SOAK_PEOPLE", "2000"))
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "30"))
FIRST = int(os.environ.get("SOAK_FIRST", "0"))
EVIDENCE = os.environ.get("SOAK_EVIDENCE", "")
MEMBERS = 40
BEYOND_THE_LEASE_SECONDS = 26.0
MOST_SECONDS_BETWEEN_KILLS = 15.0
DEADLINE_SECONDS = 400.0
VICTIMS = ("serve", "worker", "postgres", "stop", "documo", "documo", "documo's postgres")
FAULTS = """faults:
  - {method: POST, path: /Users, probability: 0.03, do: drop_after}
  - {method: POST, path: /Users, probability: 0.02, do: drop_before}
  - {method: PATCH, path: /Users, probability: 0.05, do: drop_after}
  - {method: PATCH, path: /Users, probability: 0.03, do: status, status: 404}
  - {method: DELETE, path: /Users, probability: 0.1, do: drop_after}
  - {method: PATCH, path: /Groups, probability: 0.1, do: drop_after}
  - {method: PATCH, path: /Groups, probability: 0.05, do: drop_before}
  - {path: /Users, probability: 0.01, do: delay, seconds: 2}
  - {method: POST, path: /Users, probability: 0.01, do: html}
"""


class Documo:
    """A Documo whose process, or whose PostgreSQL, can be killed: it comes back on the same port with its data."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.data = folder / "documo"
        self.data.mkdir()
        self.data.chmod(0o711)
        faults = folder / "faults.yaml"
        faults.write_text(FAULTS)
        # In every second round it loses and falsifies answers as well.
        options = [str(faults)] if seed % 2 else []
        self.command: list[str | Path] = [
            sys.executable, Path(__file__).with_name("documo_to_kill.py"), self.data, str(free_port()), str(seed), *options,
        ]  # fmt: skip
        self.log = (folder / "documo.log").open("ab")
        self.start()
        assert self.process.stdout is not None
        ready: dict[str, str] = json.loads(self.process.stdout.readline())
        self.base_url, self.token = ready["base_url"], ready["token"]

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def kill_and_start(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def kill_postgres(self) -> None:
        """Its PostgreSQL, which the process restarts once it notices that it has ended."""
        found = next(self.data.rglob("postmaster.pid"))
        psutil.Process(int(found.read_text().split()[0])).kill()

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()


@pytest.fixture
def documo(request: pytest.FixtureRequest, folder: Path) -> Iterator[Documo]:
    made = Documo(folder, request.node.callspec.params["seed"])
    yield made
    made.end()


async def prepare(folder: Path, documo: Documo, seed: int) -> list[str]:
    """Assign everybody and four groups, and switch provisioning on; returns the people's names."""
    files = demo.generate(folder / "csv", people=PEOPLE, seed=7)
    async with context_of(folder / "data") as context:
        await sources.save_source(context, "hr", kind="csv", config={"files": [{"path": str(files.people)}]})
        await sources.import_source(context, "hr")
        everybody = await people.list_people(context, people.PersonFilter(limit=PEOPLE))
        names = [one.user_principal_name for one in everybody]
        await applications.add_application(context, "custom-scim", name="documo")
        await credentials.set_credentials(
            context, "documo", tenant_url=documo.base_url, secret_token=Secret(documo.token)
        )
        await settings_actions.set_scope(context, "documo", [FILTER])
        if seed % 3 == 0:
            await settings_actions.change_configuration(context, "documo", delete_the_purged, activity="Set up")
        for number, group in enumerate(GROUPS):
            await groups.create_group(context, group)
            await groups.change_members(context, group, add=names[number * MEMBERS : (number + 1) * MEMBERS])
        await assignments.assign(context, "documo", users=names, groups=GROUPS)
        await settings_actions.change_settings(context, "documo", mode="automatic", status="on")
    return names


def delete_the_purged(config: dict[str, Any]) -> None:
    config["deletions"] |= {"onSourceDeleted": "delete", "onPurged": "delete"}


async def until_changed(crowd: Crowd, more: int) -> None:
    """Wait until that many more people have changed; nobody changes while the database is down."""
    enough = crowd.told.total() + more
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MOST_SECONDS_BETWEEN_KILLS):
            while crowd.told.total() < enough:
                await asyncio.sleep(0.02)


async def kills(house: House, documo: Documo, crowd: Crowd, chance: random.Random, told: Counter[str]) -> None:
    for _ in range(chance.randint(3, 5)):
        await until_changed(crowd, chance.randint(3, 40))
        victim = chance.choice(VICTIMS)
        told[victim] += 1
        if victim == "stop":
            worker = house.processes["worker"]
            worker.send_signal(signal.SIGSTOP)
            await asyncio.sleep(BEYOND_THE_LEASE_SECONDS)
            worker.send_signal(signal.SIGCONT)
            continue
        with contextlib.suppress(StopIteration, ProcessLookupError, psutil.NoSuchProcess):
            if victim == "documo":
                documo.kill_and_start()
            elif victim == "documo's postgres":
                documo.kill_postgres()
            else:
                house.kill(victim)
                if victim != "postgres":  # PostgreSQL is started again by those who use it
                    house.start(victim)


async def settle(data: Path, give_up_at: float) -> str:
    """Wait until nothing is left to do; returns what `lockstep status` then says."""
    await until_done(data, give_up_at)
    for _ in range(3):  # make failed objects due for their next attempt
        async with context_of(data) as context:
            if not await provisioning.retry(context, "documo"):
                break
        await until_done(data, give_up_at)
    async with context_of(data) as context:
        return (await status.show_status(context, "documo")).sentence


async def one_round(folder: Path, documo: Documo, seed: int) -> Wrong:
    began = time.monotonic()
    chance = random.Random(seed)
    crowd = Crowd(await prepare(folder, documo, seed), random.Random(seed), PEOPLE // 12)
    house = House(folder / "data", documo.base_url.removesuffix("/scim/v2"))
    reader = ScimAccountReader(documo.base_url, documo.token)
    killed: Counter[str] = Counter()
    try:
        house.start("serve")
        house.start("worker")
        change = asyncio.create_task(keep_changing(folder / "data", crowd))
        await kills(house, documo, crowd, chance, killed)
        change.cancel()
        await asyncio.gather(change, return_exceptions=True)
        headline = await settle(folder / "data", time.monotonic() + DEADLINE_SECONDS)
        wrong = await wrong_in(folder / "data", reader)
        if wrong.sentences() and EVIDENCE:
            await keep_evidence(folder / "data", Path(EVIDENCE) / f"{seed}.json", wrong)
    finally:
        await reader.close()
        house.end()
    line = {"seed": seed, "people": PEOPLE, "killed": killed, "changes": crowd.told, "changed": crowd.told.total()}
    line |= {"wrong": wrong.counts(), "status": headline, "seconds": round(time.monotonic() - began)}
    print(json.dumps(line), flush=True)
    assert crowd.told.total(), "nobody changed while processes were killed, so this round shows nothing"
    return wrong


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(FIRST, FIRST + ROUNDS))
async def test_exactly_those_have_access_who_should_after_kills_while_people_change(
    seed: int, folder: Path, documo: Documo
) -> None:
    """Lockstep, a worker, Documo and both their databases are killed, workers stopped; in rounds with an odd seed answers are lost."""
    assert (await one_round(folder, documo, seed)).sentences() == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", [0])
async def test_comparison_sees_an_account_and_a_member_that_are_wrong(seed: int, folder: Path, documo: Documo) -> None:
    await prepare(folder, documo, seed)
    house = House(folder / "data", documo.base_url.removesuffix("/scim/v2"))
    reader = ScimAccountReader(documo.base_url, documo.token)
    try:
        house.start("serve")
        house.start("worker")
        await settle(folder / "data", time.monotonic() + DEADLINE_SECONDS)
        assert (await wrong_in(folder / "data", reader)).sentences() == []
        disabled = next(one for one in await reader.listing() if one["active"])
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {documo.token}"}) as client:
            stray = await write(client, "POST", f"{documo.base_url}/Users", {"userName": "stray@contoso.test"})
            off = {"op": "replace", "path": "active", "value": False}
            await write(client, "PATCH", f"{documo.base_url}/Users/{disabled['id']}", {"Operations": [off]})
            group = (await reader.read("/Groups"))["Resources"][0]
            add = {"op": "add", "path": "members", "value": [{"value": stray["id"]}]}
            await write(client, "PATCH", f"{documo.base_url}/Groups/{group['id']}", {"Operations": [add]})
        wrong = await wrong_in(folder / "data", reader)
    finally:
        await reader.close()
        house.end()

    assert wrong.active == ["stray@contoso.test is active and should not be"]
    assert wrong.inactive == [f"{disabled['userName'].lower()} should be active and is not"]
    assert wrong.members == [f"{stray['id']} is in {group['displayName']} and should not be"]


async def write(client: aiohttp.ClientSession, method: str, url: str, body: dict[str, Any]) -> Any:
    schema = "core:2.0:User" if method == "POST" else "api:messages:2.0:PatchOp"
    prefix = "urn:ietf:params:scim:schemas:" if method == "POST" else "urn:ietf:params:scim:"
    async with client.request(method, url, json={"schemas": [prefix + schema], **body}) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json(content_type=None) if answer.status != 204 else None
