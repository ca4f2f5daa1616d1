from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lockstep.postgres.pool import Connection
from tests.support.reused_databases import ReusedDatabase


@pytest.fixture
async def connection(
    reused_lockstep_database: ReusedDatabase, request: pytest.FixtureRequest
) -> AsyncIterator[Connection]:
    """A connection to a database with a started job, whose id is the constant JOB of the test's module."""
    pool = await reused_lockstep_database.pool(max_size=1)
    async with pool.connection() as connection:
        await connection.execute(
            """with app as (insert into application (name, display_name, template) values ('a', 'A', 'x') returning id)
            insert into job (id, app, status, started) select %s, id, 'on', true from app""",
            (request.module.JOB,),
        )
        yield connection
