"""The figures for the charts are recorded with the outcomes and summed by the minute; the length of the queue is recorded when
it changes.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from lockstep.engine.durations import percentile
from lockstep.ports import Verdict
from lockstep.postgres.pool import transaction
from lockstep.storage import activity
from lockstep.sync.worker.tasks import run_schedule
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_world import World

DAY = timedelta(days=1)


async def test_batches_are_counted_by_what_was_done_with_the_time_of_their_requests(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(30))
    await world.sync()
    await world.change(range(5), surname="Changed")
    await world.drain()

    found = await _work(world)

    assert found["counts"] == {"created": 30, "updated": 5}
    assert sum(found["responses"].values()) == 35
    assert found["failures"] == {}


async def test_waiting_for_access_and_its_end_are_timed_from_the_mark_of_the_object(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(4))
    await world.sync()
    await world.unassign([1, 2])
    await world.rows("update dirty set marked_at = marked_at - interval '20 minutes' returning 1")
    await world.drain()
    await world.assign([1])
    await world.drain()

    gained, lost = await _waits(world, "gained"), await _waits(world, "lost")

    assert sum(gained.values()) == 4 + 1
    assert sum(lost.values()) == 2
    assert 0.9 * 1_200 < (percentile(lost, 0.5) or 0) < 1.2 * 1_200
    assert (percentile(gained, 0.5) or 0) < 600


async def test_unchanged_objects_have_no_waiting_time(world: World, target: ModelTarget) -> None:
    await world.add_people(range(3))
    await world.sync()
    before = await _waits(world, "gained")

    await world.change(range(3), department="unmapped")
    await world.drain()

    assert await _waits(world, "gained") == before
    assert (await _work(world))["counts"] == {"created": 3, "unchanged": 3}


async def test_failures_are_counted_by_the_code_of_their_log_records(world: World, target: ModelTarget) -> None:
    refusal = answered(Verdict.REFUSED, status=400, code="InvalidValue", detail="Refused")
    target.before = lambda verb, key: refusal if verb == "create" else None
    await world.add_people(range(3))

    await world.sync()

    logged = await world.rows("select error_code, count(*) from provisioning_log where status = 'failure' group by 1")
    assert (await _work(world))["failures"] == dict(logged) == {"InvalidValue": 3}


@pytest.mark.parametrize("age, minutes", [("5 minutes", 1), ("5 hours", 30)])
async def test_rows_are_summed_by_the_minute_and_later_by_half_hours_without_changing_the_figures(
    world: World, target: ModelTarget, age: str, minutes: int
) -> None:
    await world.add_people(range(10))
    await world.sync()
    await world.unassign([1])
    await world.drain()
    await world.rows("update activity set at = date_trunc('hour', now()) - %s::interval returning 1", age)
    before = await _work(world), await _waits(world, "lost"), await _waits(world, "gained")

    await run_schedule(world.services, world.drive)
    once = await world.rows("select minutes from activity")
    await run_schedule(world.services, world.drive)

    assert (await _work(world), await _waits(world, "lost"), await _waits(world, "gained")) == before
    assert before[0]["counts"] == {"created": 10, "disabled": 1}
    assert once == await world.rows("select minutes from activity") == [(minutes,)]


async def test_queue_is_noted_when_its_length_has_changed(world: World, target: ModelTarget) -> None:
    await world.add_people(range(3))
    await world.sync()
    await run_schedule(world.services, world.drive)
    idle = await world.rows("select waiting from queue_depth")
    await world.change(range(3), surname="Changed")

    for _ in range(2):
        await run_schedule(world.services, world.drive)
    await world.drain()
    for _ in range(2):
        await run_schedule(world.services, world.drive)

    assert idle == []
    assert await world.rows("select waiting from queue_depth order by at") == [(3,), (0,)]


async def _work(world: World) -> dict[str, dict[str, int]]:
    found = await _figures(world)
    return {part: found.get((part, 0), {}) for part in ("counts", "failures", "responses")}


async def _waits(world: World, wanted: str) -> Counter[int]:
    found = await _figures(world)
    return Counter({int(length): number for length, number in found.get((wanted, 0), {}).items()})


async def _figures(world: World) -> dict[tuple[str, int], dict[str, int]]:
    """Everything that was done since yesterday, in one step and one day."""
    since = datetime.now(UTC) - DAY / 2
    async with transaction(world.pool) as connection:
        return await activity.figures_of(
            connection, world.job, since=since, step=DAY, recent_since=since, days_since=since
        )
