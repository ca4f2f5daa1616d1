"""kill -9 at random moments, with an application that fails in between: everybody exists exactly once afterwards."""

from __future__ import annotations

import asyncio
import random
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lockstep.postgres.database import Database
from lockstep.postgres.pool import open_pool
from lockstep.sync.connections import TOKEN
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret, Vault, parse_key

HERE = Path(__file__).parent
from tests.support.model_target import ModelTarget  # noqa: E402
from tests.support.sync_world import World, make_world, upn  # noqa: E402
from tests.support.waiting import until  # noqa: E402

PEOPLE = 200


class Application:
    """The SCIM server's process, seen from outside."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.http = aiohttp.ClientSession()

    async def state(self) -> dict[str, Any]:
        async with self.http.get(f"{self.origin}/_accounts") as answer:
            return await answer.json()  # type: ignore[no-any-return]

    async def faults(self, **faults: float) -> None:
        async with self.http.post(f"{self.origin}/_faults", json=faults):
            pass

    async def is_up(self) -> bool:
        try:
            await self.state()
        except aiohttp.ClientConnectionError:
            return False
        return True


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(HERE / "scim_server_with_faults.py"), str(port)])
    application = Application(port)
    await until(application.is_up)
    yield application
    await application.http.close()
    process.kill()
    process.wait()


class Workers:
    """Starts workers, and kills them."""

    def __init__(self, database: Database, key: str, origin: str) -> None:
        self.command = [sys.executable, str(HERE / "worker_to_kill.py"), database.conninfo, key, origin]
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        worker = subprocess.Popen([*self.command, *options], stdout=subprocess.DEVNULL)
        self.running.append(worker)
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.running.remove(worker)

    def stop_all(self) -> None:
        for worker in self.running:
            worker.terminate()
        for worker in self.running:
            worker.wait(20)


@pytest.fixture
def key() -> str:
    return secrets.token_hex(32)


@pytest.fixture
def workers(lockstep_database: Database, key: str, application: Application) -> Iterator[Workers]:
    workers = Workers(lockstep_database, key, application.origin)
    yield workers
    for worker in workers.running:
        worker.kill()
        worker.wait()


@pytest.fixture
async def world(lockstep_database: Database, key: str, application: Application) -> AsyncIterator[World]:
    pool = await open_pool(lockstep_database, max_size=4)
    world = await make_world(pool, ModelTarget())
    vault = Vault(parse_key(key, where="test"))
    world.services.vault, world.services.opener = vault, ScimTargets([application.origin])
    sealed = vault.seal(Secret("token"), purpose=TOKEN, name=world.app)
    await world.rows(
        "update credential set tenant_url = %s, secret = %s returning 1", f"{application.origin}/scim/v2", sealed
    )
    yield world
    await pool.close()


async def is_settled(world: World) -> bool:
    return not await world.value(
        "select (select count(*) from dirty) + (select count(*) from cycle where ended_at is null)"
    )


async def kill_at_random_moments(
    world: World, workers: Workers, application: Application, *, seed: int, kills: int
) -> None:
    chance = random.Random(seed)
    await world.add_people(range(PEOPLE))
    await application.faults(delay=0.02, reset_after=3, error_after=2, reset_before=2, throttle=0.1)
    await world.start()
    for number in range(kills):
        worker = workers.start()
        mark = (await application.state())["requests"] + chance.randrange(1, PEOPLE // kills)
        await until(partial(_reached, application, world, mark), seconds=30)
        if number == 0:  # somebody leaves, and somebody is renamed, in the middle of it
            await world.unassign([1, 2])
            await world.change([3, 4], surname="Renamed")
        workers.kill(worker)
    await application.faults()
    workers.start()
    await until(lambda: is_settled(world), seconds=60)
    workers.stop_all()


async def _reached(application: Application, world: World, mark: int) -> bool:
    return (await application.state())["requests"] >= mark or await is_settled(world)


async def everybody_is_right(world: World, application: Application) -> None:
    state = await application.state()
    people = {user["userName"]: user for user in state["users"]}
    assert len(state["users"]) == len(people)
    assert len(state["created"]) == len(set(state["created"])), "an account was created twice"
    there = {upn(number) for number in range(PEOPLE)}
    assert set(people) | {upn(1), upn(2)} == there
    for number in range(PEOPLE):
        if upn(number) not in people:
            continue
        user = people[upn(number)]
        surname = "Renamed" if number in (3, 4) else f"Sur{number}"
        assert user["name"] == {"givenName": f"Given{number}", "familyName": surname}
        assert user["active"] is (number not in (1, 2))
    assert await world.value("select count(*) from operation where state in ('planned', 'ambiguous')") == 0
    assert await world.value("select count(*) from link where state in ('live', 'disabled')") == len(people)


@pytest.mark.parametrize("seed", [1, *(pytest.param(more, marks=pytest.mark.full) for more in (2, 3))])
async def test_everybody_exists_exactly_once_after_kills(
    world: World, workers: Workers, application: Application, seed: int
) -> None:
    await kill_at_random_moments(world, workers, application, seed=seed, kills=2)

    await everybody_is_right(world, application)


async def test_leaver_whose_disable_was_journaled_but_never_sent_is_disabled_after_the_restart(
    world: World, workers: Workers, application: Application
) -> None:
    await world.add_people(range(3))
    await world.start()
    worker = workers.start()
    await until(lambda: is_settled(world), seconds=30)
    workers.kill(worker)

    await world.unassign([1])
    worker = workers.start("--hold-updates")
    await until(lambda: is_journaled(world), seconds=30)
    workers.kill(worker)
    state = await application.state()
    assert all(user["active"] for user in state["users"])
    assert await is_journaled(world)
    workers.start()
    await until(lambda: is_settled(world), seconds=30)
    workers.stop_all()

    state = await application.state()
    assert {user["userName"]: user["active"] for user in state["users"]} == {
        upn(0): True, upn(1): False, upn(2): True,
    }  # fmt: skip
    assert await world.value("select count(*) from operation where state in ('planned', 'ambiguous')") == 0


async def is_journaled(world: World) -> bool:
    """Whether the journal has a disable whose outcome is unknown."""
    return bool(await world.value("select count(*) from operation where action = 'disable' and state = 'planned'"))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
async def test_everybody_exists_exactly_once_after_many_kills(
    world: World, workers: Workers, application: Application, seed: int
) -> None:
    await kill_at_random_moments(world, workers, application, seed=seed, kills=6)

    await everybody_is_right(world, application)
    await asyncio.sleep(0)
