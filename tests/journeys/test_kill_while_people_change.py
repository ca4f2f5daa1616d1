"""kill -9, stopped workers and lost answers while people come, go and are renamed: in the end exactly those have access who should.

The number of people and of rounds can be given: SOAK_PEOPLE, SOAK_ROUNDS.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_kill_nine import BIN, House, context_of, folder, until_done

from lockstep.actions import applications, assignments, credentials, people, provisioning, sources
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Context
from lockstep.cli.up.verification import Reader
from lockstep.sources import demo
from lockstep.vault import Secret

__all__ = ["folder"]  # a fixture

PEOPLE = int(os.environ.get("SOAK_PEOPLE", "2000"))
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "30"))
BEYOND_THE_LEASE_SECONDS = 26.0
DEADLINE_SECONDS = 400.0
VICTIMS = ("serve", "worker", "postgres", "stop")
FAULTS = """faults:
  - {method: POST, path: /Users, probability: 0.03, do: drop_after}
  - {method: POST, path: /Users, probability: 0.02, do: drop_before}
  - {method: PATCH, path: /Users, probability: 0.05, do: drop_after}
  - {method: PATCH, path: /Users, probability: 0.03, do: status, status: 404}
  - {path: /Users, probability: 0.01, do: delay, seconds: 2}
  - {method: POST, path: /Users, probability: 0.01, do: html}
"""


@pytest.fixture
def documo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A Documo with a database of its own, in every second round one that loses answers."""
    (tmp_path / "faults.yaml").write_text(FAULTS)
    seed = request.node.callspec.params["seed"]
    faults = ["--faults", str(tmp_path / "faults.yaml"), "--seed", str(seed)] if seed % 2 else []
    command = [BIN / "documo", "sandbox", "--rate", "0", *faults]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.wait(timeout=30)


async def prepare(folder: Path, documo: dict[str, Any]) -> list[str]:
    """Everybody is assigned and provisioning switched on; returns their names."""
    files = demo.generate(folder / "csv", people=PEOPLE, seed=7)
    async with context_of(folder / "data") as context:
        await sources.save_source(context, "hr", kind="csv", config={"files": [{"path": str(files.people)}]})
        await sources.import_source(context, "hr")
        names = [
            one.user_principal_name for one in await people.list_people(context, people.PersonFilter(limit=PEOPLE))
        ]
        await applications.add_application(context, "documo")
        await credentials.set_credentials(
            context, "documo", tenant_url=documo["base_url"], secret_token=Secret(documo["token"])
        )
        await assignments.assign(context, "documo", users=names)
        await settings_actions.change_settings(context, "documo", mode="automatic", status="on")
    return names


async def people_change(data: Path, names: list[str], chance: random.Random, told: Counter[str]) -> None:
    """Now and then something happens to somebody, until cancelled. PostgreSQL may be down at any moment of it."""
    there, gone = list(names), list[str]()
    while True:
        with contextlib.suppress(Exception):  # whatever a killed database does to us: the directory says what is so
            async with context_of(data) as context:
                while True:
                    await something_happens(context, there, gone, chance, told)
                    await asyncio.sleep(chance.uniform(0.02, 0.3))
        await asyncio.sleep(0.2)


async def something_happens(
    context: Context, there: list[str], gone: list[str], chance: random.Random, told: Counter[str]
) -> None:
    what = chance.choice(
        ["disable", "disable", "enable", "rename", "rename", "unassign", "assign", "delete", "restore", "purge"]
    )
    name = chance.choice(there)
    if told["disable"] + told["unassign"] + told["delete"] > PEOPLE // 12 and what in ("disable", "unassign", "delete"):
        return  # as many leavers as the guards let pass
    match what:
        case "disable" | "enable":
            await people.set_enabled(context, [name], is_enabled=what == "enable")
        case "rename":
            new = f"renamed{chance.randrange(10**9)}@contoso.test"
            there.append(new)
            there.remove(name)
            await people.set_person(context, name, {"userPrincipalName": new})
        case "unassign":
            await assignments.unassign(context, "documo", users=[name])
        case "assign":
            await assignments.assign(context, "documo", users=[name])
        case "delete":
            there.remove(name)
            gone.append(name)
            await people.delete(context, [name])
        case "restore" if gone:
            name = gone.pop()
            there.append(name)
            await people.restore(context, [name])
        case "purge" if gone:
            await people.purge(context, [gone.pop(0)])
    told[what] += 1


async def kills(house: House, chance: random.Random, number: int, told: Counter[str]) -> None:
    for _ in range(number):
        await asyncio.sleep(chance.uniform(0.2, 4))
        victim = chance.choice(VICTIMS)
        told[f"kill {victim}"] += 1
        if victim == "stop":
            worker = house.processes["worker"]
            worker.send_signal(signal.SIGSTOP)
            await asyncio.sleep(BEYOND_THE_LEASE_SECONDS)
            worker.send_signal(signal.SIGCONT)
            continue
        with contextlib.suppress(StopIteration, ProcessLookupError):
            house.kill(victim)
        if victim != "postgres":  # PostgreSQL is started again by those who use it
            house.start(victim)


async def wrong_in(data: Path, reader: Reader) -> list[str]:
    """Compare the application with the directory."""
    async with context_of(data) as context, context.reading() as connection:
        cursor = await connection.execute(
            """select lower(user_principal_name), link.target_id from person
            left join link on link.kind = 'User' and link.source_id = person.id and link.state = 'live'
            where deleted_at is null and account_enabled and exists (select from effective_assignment held
                where held.kind = 'User' and held.object_id = person.id)"""
        )
        should = dict(await cursor.fetchall())
        cursor = await connection.execute(
            "select action, state, count(*) from operation where state in ('planned', 'ambiguous') group by 1, 2"
        )
        opened = [f"open: {row}" for row in await cursor.fetchall()]
    accounts = [one for one in await reader.listing() if not one["userName"].endswith("@sandbox.example")]
    active = Counter(str(one["userName"]).lower() for one in accounts if one["active"])
    held = {str(one["userName"]).lower(): one["id"] for one in accounts if one["active"]}
    wrong = [f"{name} is active and should not be" for name in active if name not in should]
    wrong += [f"{name} should be active and is not" for name in should if name not in active]
    wrong += [f"{name} exists {count} times" for name, count in active.items() if count > 1]
    wrong += [f"{name} is not linked" for name, key in held.items() if name in should and should[name] != key]
    return wrong + opened


async def one_round(folder: Path, documo: dict[str, Any], seed: int) -> list[str]:
    chance = random.Random(seed)
    names = await prepare(folder, documo)
    house = House(folder / "data", documo["base_url"].removesuffix("/scim/v2"))
    reader = Reader(documo["base_url"], documo["token"])
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    told: Counter[str] = Counter()
    try:
        house.start("serve")
        house.start("worker")
        change = asyncio.create_task(people_change(folder / "data", names, chance, told))
        await kills(house, chance, chance.randint(2, 4), told)
        change.cancel()
        await asyncio.gather(change, return_exceptions=True)
        await until_done(folder / "data", give_up_at)
        for _ in range(3):  # what failed is tried again, as its time would come
            async with context_of(folder / "data") as context:
                if not await provisioning.retry(context, "documo"):
                    break
            await until_done(folder / "data", give_up_at)
        wrong = await wrong_in(folder / "data", reader)
    finally:
        await reader.close()
        house.end()
    print(f"round {seed}: {dict(told)}, wrong {len(wrong)}")
    return wrong


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_exactly_those_have_access_who_should_after_kills_while_people_change(
    seed: int, folder: Path, documo: dict[str, Any]
) -> None:
    assert await one_round(folder, documo, seed) == []
