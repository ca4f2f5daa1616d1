from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lockstep.postgres.database import Database
from lockstep.postgres.pool import Connection, open_pool


@pytest.fixture
async def connection(lockstep_database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Connection]:
    """A connection to a database with a started job, whose id is the constant JOB of the test's module."""
    pool = await open_pool(lockstep_database, max_size=1)
    async with pool.connection() as connection:
        await connection.execute(
            """with app as (insert into application (name, display_name, template) values ('a', 'A', 'x') returning id)
            insert into job (id, app, status, started) select %s, id, 'on', true from app""",
            (request.module.JOB,),
        )
        yield connection
    await pool.close()
