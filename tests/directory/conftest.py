from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.hub import Hub, make_context

from lockstep.directory.edit import Touched
from lockstep.postgres.database import Database
from lockstep.postgres.pool import open_pool


@pytest.fixture
async def hub(lockstep_database: Database) -> AsyncIterator[Hub]:
    pool = await open_pool(lockstep_database, max_size=4)
    woken: list[Touched] = []
    made = Hub(pool, make_context(pool, woken), woken)
    await made.add_source()
    yield made
    await pool.close()
