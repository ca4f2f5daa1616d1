"""Several workers together count the writes that they let through: without approval, they send no more than the limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lockstep.engine.decisions.matching import NO_MATCH
from lockstep.engine.decisions.plan import make_plan
from lockstep.engine.records import Action, ObjectKind
from lockstep.postgres.pool import transaction
from lockstep.storage import operations
from lockstep.storage.dirty import Claim, claim_one
from lockstep.sync.drain.guarding import Guard
from lockstep.sync.drain.on_demand import push
from lockstep.sync.planning import planner
from lockstep.sync.planning.planner import PlanResult
from lockstep.sync.services import Services
from tests.support.model_target import ModelTarget
from tests.support.sync_world import CONFIG, World, person_id, upn
from tests.support.waiting import until


def disabled(target: ModelTarget) -> set[str]:
    return {name for name, values in target.people().items() if not values["active"]}


async def held(world: World) -> int:
    async with world.pool.connection() as connection:
        return (await operations.count_undecided(connection, [world.job]))[world.job].held


def another(services: Services) -> Services:
    return Services(services.pool, services.vault, services.opener, services.wake, times=services.times)


@asynccontextmanager
async def nothing_is_journalled(world: World) -> AsyncIterator[None]:
    """Every worker stops where it journals its writes, or where it waits for another one that does."""
    async with transaction(world.pool) as connection:
        await connection.execute("lock table operation in share row exclusive mode")
        yield


async def workers_wait(world: World, number: int) -> None:
    async def wait() -> bool:
        locked = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        return int(await world.value(locked)) >= number

    await until(wait)


@pytest.fixture
async def limited(world: World) -> World:
    """Sixty people have accounts, and ten may leave without approval."""
    await world.configure({**CONFIG, "deletions": {"threshold": 10}})
    await world.add_people(range(60))
    await world.sync()
    return world


async def leave_at_once(world: World, of_each: int) -> None:
    """Three workers let people go who have just left, each without knowing of the others: none has journalled anything yet."""
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)
    pushes = []
    async with nothing_is_journalled(world):
        for number in range(3):
            leavers = range(number * of_each, (number + 1) * of_each)
            await world.unassign(leavers)
            ids = [person_id(one) for one in leavers]
            worker = another(world.services)
            pushes.append(asyncio.create_task(push(worker, job, ObjectKind.USER, ids, initiated_by="anna")))
            await workers_wait(world, number + 1)
    await asyncio.gather(*pushes)
    await world.drain()


@pytest.mark.parametrize("of_each", [6, 9])
async def test_workers_that_journal_at_the_same_moment_stay_within_the_limit_together(
    limited: World, target: ModelTarget, of_each: int
) -> None:
    await leave_at_once(limited, of_each)

    assert len(disabled(target)) <= 10
    assert len(disabled(target)) + await held(limited) == 3 * of_each


async def test_leavers_within_the_limit_are_not_held_though_several_workers_journal_at_the_same_moment(
    limited: World, target: ModelTarget
) -> None:
    await leave_at_once(limited, 3)

    assert disabled(target) == {upn(number) for number in range(9)}
    assert await held(limited) == 0


async def test_plans_that_one_worker_makes_at_the_same_moment_stay_within_the_limit_together(limited: World) -> None:
    await limited.unassign(range(15))
    leaving = [await plan_of(limited, number) for number in range(15)]
    await limited.rows("delete from dirty returning 1")  # nothing waits that the guard could count
    async with limited.pool.connection() as connection:
        job = await limited.services.read_job(connection, limited.job)
    guard = Guard(limited.services)

    judged = await asyncio.gather(*(guard.pass_or_hold(job, claim, planned) for claim, planned in leaving))

    assert [one.plan.action for one in judged].count(Action.DISABLE) == 10


async def plan_of(world: World, number: int) -> tuple[Claim, PlanResult]:
    async with transaction(world.pool) as connection:
        job = await world.services.read_job(connection, world.job)
        known = await planner.load(connection, job, ObjectKind.USER, [person_id(number)])
        claim = await claim_one(
            connection, world.job, "User", person_id(number), owner="test", lease_seconds=60, cycle=None
        )
    assert claim is not None
    prepared = planner.prepare_one(known, job, person_id(number), world.services.moment(), look=False)
    return claim, PlanResult(make_plan(prepared, match=NO_MATCH), prepared)
