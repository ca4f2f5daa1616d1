"""The world of these tests, fresh for each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from model_target import ModelTarget
from sync_world import World, make_world

from lockstep.postgres.database import Database
from lockstep.postgres.pool import Pool, open_pool


@pytest.fixture
async def pool(lockstep_database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(lockstep_database, max_size=8)
    yield pool
    await pool.close()


@pytest.fixture
def target() -> ModelTarget:
    return ModelTarget()


@pytest.fixture
async def world(pool: Pool, target: ModelTarget) -> AsyncIterator[World]:
    world = await make_world(pool, target)
    yield world
    await world.services.close()
