"""Settling finds the account of a link without taking it: until the link is recorded, no other person can get the account."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lockstep.engine.moment import Moment
from lockstep.engine.records import Account, ObjectKind
from lockstep.postgres.pool import Pool, transaction
from lockstep.sync.drain.on_demand import push
from tests.support.crashes import Lossy, crash, settle
from tests.support.model_target import USER, ModelTarget
from tests.support.sync_world import CONFIG, USERS, World, make_world, person_id
from tests.support.waiting import until

BY_EMPLOYEE = {
    **CONFIG,
    "mappings": [
        {
            **USERS,
            "attributes": [
                *({**one, "match": 0} if one["target"] == "userName" else one for one in USERS["attributes"]),
                {"target": "externalId", "source": "employeeId", "match": 1},
            ],
        }
    ],
}
MADE, RIVAL = 1, 2


class SlowFind(Lossy):
    """The answer to the next search is as old as its question: it arrives when `gate` is set."""

    def __init__(self, target: ModelTarget) -> None:
        super().__init__(target)
        self.is_slow = False
        self.asked, self.gate = asyncio.Event(), asyncio.Event()

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        found = await self.target.find(kind, attribute, value)
        if self.is_slow and attribute == "externalId":
            self.is_slow = False
            self.asked.set()
            await self.gate.wait()
        return found


@pytest.fixture
def slow(target: ModelTarget) -> SlowFind:
    target.is_unique = False
    return SlowFind(target)


@pytest.fixture
async def world(pool: Pool, slow: SlowFind) -> World:
    world = await make_world(pool, slow)  # type: ignore[arg-type]
    await world.configure(BY_EMPLOYEE)
    await world.sync()
    slow.loses = lambda verb, key: "after" if verb == "create" else ""
    await world.add_people([MADE], employeeId="E-1")
    return world


async def _push(world: World, number: int) -> None:
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)
    await push(world.services, job, USER, [person_id(number)], initiated_by="anna", busy_seconds=1.0)


async def _only_the_first_has_it(world: World, target: ModelTarget) -> None:
    assert await world.rows("select source_id::text, target_id from link") == [(person_id(MADE), "u_1")]
    assert list(target.accounts[USER]) == ["u_1"]
    assert target.accounts[USER]["u_1"]["name.familyName"] == f"Sur{MADE}"


async def test_account_is_not_linked_to_a_rival_between_settling_and_its_record(
    world: World, slow: SlowFind, target: ModelTarget
) -> None:
    await crash(world, slow, waiting=1)
    await world.add_people([RIVAL], assigned=False, employeeId="E-1")
    slow.is_slow = True
    settling = asyncio.create_task(world.drain())
    await asyncio.wait_for(slow.asked.wait(), 20)
    searches = target.requests["find"]
    async with transaction(world.pool) as connection:
        # The record of what settling found has to wait for this row.
        await connection.execute("select from dirty where source_id = %s for update", (person_id(MADE),))
        slow.gate.set()
        await world.rows(
            "insert into assignment (app, principal_kind, principal_id) values (%s, 'User', %s) returning 1",
            world.app,
            person_id(RIVAL),
        )
        await _push(world, RIVAL)
        assert target.requests["find"] > searches
        assert await world.rows("select * from link") == []
    await settling
    await settle(world)

    await _only_the_first_has_it(world, target)


async def test_rival_who_searched_before_the_account_was_made_and_settled_makes_no_second_one(
    world: World, slow: SlowFind, target: ModelTarget
) -> None:
    await world.add_people([RIVAL], employeeId="E-1")
    await world.rows(
        "update dirty set not_before = now() + interval '1 hour' where source_id = %s returning 1", person_id(RIVAL)
    )
    slow.is_slow = True
    pushed = asyncio.create_task(_push(world, RIVAL))
    await asyncio.wait_for(slow.asked.wait(), 20)
    dying = asyncio.create_task(world.drain())
    await until(lambda: _hangs(slow))
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    slow.loses = lambda verb, key: ""
    await world.rows(
        "update dirty set lease_until = now() - interval '1 second' where source_id = %s returning 1", person_id(MADE)
    )
    world.services.drains.clear()
    await settle(world, rounds=1)
    assert await world.value("select count(*) from link") == 1

    slow.gate.set()
    await pushed
    await settle(world)

    await _only_the_first_has_it(world, target)


async def _hangs(slow: SlowFind) -> bool:
    return slow.hanging > 0


async def test_create_that_may_still_arrive_is_not_given_up_by_a_worker_whose_clock_is_ahead(
    world: World, slow: SlowFind, target: ModelTarget
) -> None:
    slow.loses = lambda verb, key: "before" if verb == "create" else ""
    world.services.times = replace(world.services.times, late_arrival_seconds=60)
    dying = asyncio.create_task(world.drain())
    await until(lambda: _hangs(slow))
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    slow.loses = lambda verb, key: ""
    await world.rows("update dirty set lease_until = now() - interval '1 second' returning 1")
    world.services.drains.clear()

    ahead = Moment(datetime.now(UTC) + timedelta(hours=1), b"seed")
    world.services.moment = lambda: ahead  # type: ignore[method-assign]
    await world.drain()

    assert await world.rows("select state from operation") == [("planned",)]
    assert target.accounts[USER] == {}
