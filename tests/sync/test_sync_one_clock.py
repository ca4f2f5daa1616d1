"""Pauses are kept by the clock of the database, however wrong the clock of a worker is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lockstep.ports import Verdict
from tests.support.crashes import set_enabled
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_world import World


@pytest.mark.parametrize("off_by", [timedelta(hours=-3), timedelta(hours=3)], ids=["behind", "ahead"])
@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.THROTTLED])
async def test_leaver_is_tried_again_in_time_whatever_the_worker_believes_the_time_is(
    world: World, target: ModelTarget, off_by: timedelta, verdict: Verdict
) -> None:
    await world.add_people([1, 2])
    await world.sync()
    world.services.machine_time = lambda: datetime.now(UTC) + off_by
    wait = timedelta(minutes=30)
    target.before = lambda verb, key: (
        answered(verdict, status=429, wait=wait if verdict is Verdict.THROTTLED else None) if verb == "update" else None
    )

    await set_enabled(world, [1], enabled=False)
    await world.drain()

    due = await world.value("select extract(epoch from not_before - clock_timestamp()) / 60 from dirty")
    longest = 30 if verdict is Verdict.THROTTLED else 6 * 60
    assert longest - 2 < due <= longest
