"""The law: when faults stop, the active accounts of the application are those of the people who should have one, one each.

People change *during* the crashes, at random. A seed that ever broke the law stays in the list.
"""

from __future__ import annotations

import os

import pytest

from lockstep.postgres.pool import Pool
from tests.support.crashes import Lossy
from tests.support.histories import CrowdedHistory, History, broken_after, forget_everything
from tests.support.model_target import ModelTarget
from tests.support.sync_world import make_world

BROKE_ONCE: tuple[int, ...] = (7, 9, 11)
FEW = range(4)
MANY = int(os.environ.get("HISTORIES", "200"))
PART = 20
CROWDED = MANY // 2  # two workers and pushes make them slow


async def run(pool: Pool, seeds: range | tuple[int, ...], kind: type[History] = History) -> list[str]:
    broken: list[str] = []
    for seed in seeds:  # a failure names its seed
        target = ModelTarget()
        lossy = Lossy(target)
        world = await make_world(pool, lossy)  # type: ignore[arg-type]
        try:
            broken += await broken_after(world, lossy, target, seed, kind)
        finally:
            await forget_everything(world)
    return broken


async def test_everybody_is_right_when_faults_stop(pool: Pool) -> None:
    assert await run(pool, FEW) == []


async def test_what_broke_the_law_once_does_so_no_more(pool: Pool) -> None:
    assert await run(pool, BROKE_ONCE) == []


@pytest.mark.full
@pytest.mark.parametrize("start", range(1000, 1000 + MANY, PART))
async def test_everybody_is_right_after_many_histories(pool: Pool, start: int) -> None:
    assert await run(pool, range(start, start + PART)) == []


async def test_everybody_is_right_when_two_workers_and_pushes_were_at_it_while_people_changed(pool: Pool) -> None:
    assert await run(pool, FEW, CrowdedHistory) == []


@pytest.mark.full
@pytest.mark.parametrize("start", range(5000, 5000 + CROWDED, PART))
async def test_everybody_is_right_after_many_crowded_histories(pool: Pool, start: int) -> None:
    assert await run(pool, range(start, start + PART), CrowdedHistory) == []
