"""On demand: the same decision and the same operations, at once, for named people."""

from __future__ import annotations

import asyncio

from lockstep.engine.records import Action, ObjectKind
from lockstep.ports import Verdict
from lockstep.sync.drain.on_demand import PushResult, preview, push
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_world import World, person_id, upn

USER = ObjectKind.USER


async def push_now(world: World, *numbers: int) -> list[PushResult]:
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)
    return await push(world.services, job, USER, [person_id(n) for n in numbers], initiated_by="anna")


async def test_push_creates_the_account_of_a_job_that_is_off(world: World, target: ModelTarget) -> None:
    await world.add_people(range(5))

    created, skipped = (await push_now(world, 1))[0], (await push_now(world, 1))[0]

    assert list(target.people()) == [upn(1)]
    assert created.record is not None and skipped.record is not None
    assert (created.counted, created.record.status, created.record.initiated_by) == ("created", "success", "anna")
    assert (skipped.counted, skipped.record.error_code) == ("unchanged", "RedundantExport")
    assert (await world.cycle()).kind == "onDemand"


async def test_push_says_why_nothing_was_done(world: World, target: ModelTarget) -> None:
    await world.add_people([1], assigned=False)

    (result,) = await push_now(world, 1)

    assert result.counted == "skipped"
    assert result.record is not None
    assert result.record.error_code == "NotEffectivelyEntitled"
    assert target.writes == 0


async def test_push_reads_the_account_and_repairs_it(world: World, target: ModelTarget) -> None:
    await world.add_people([1])
    await world.sync()
    next(iter(target.accounts[USER].values()))["name.familyName"] = "Changed there"

    (result,) = await push_now(world, 1)

    assert (result.counted, result.problem) == ("updated", "")
    assert target.people()[upn(1)]["name.familyName"] == "Sur1"


async def test_push_waits_through_an_uncertain_answer(world: World, target: ModelTarget) -> None:
    await world.add_people([1])
    lost = [1]
    target.after = lambda verb, key: answered(Verdict.AMBIGUOUS) if verb == "create" and lost and lost.pop() else None

    (result,) = await push_now(world, 1)

    assert result.counted == "created"
    assert len(target.people()) == 1


async def test_push_of_many_runs_side_by_side(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    target.seconds = 0.002

    results = await push_now(world, *range(60))

    assert {one.counted for one in results} == {"created"}
    assert target.most_at_once > 8


async def test_push_and_drain_of_the_same_person_send_one_create(world: World, target: ModelTarget) -> None:
    await world.add_people(range(20))
    await world.start()
    target.seconds = 0.005

    await asyncio.gather(world.drain(), push_now(world, *range(20)))

    assert len(target.people()) == 20
    assert target.requests["create"] == 20


async def test_preview_shows_the_plan_and_writes_nothing_anywhere(world: World, target: ModelTarget) -> None:
    await world.add_people([1, 2])
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)

    planned = await preview(world.services, job, USER, [person_id(1), person_id(2)], target)

    assert [one.plan.action for one in planned] == [Action.CREATE, Action.CREATE]
    assert target.writes == 0
    for table in ("dirty", "operation", "link", "provisioning_log", "cycle"):
        assert await world.value(f"select count(*) from {table}") == 0
