"""Transactions in pipeline mode: what a drain repeats is prepared and planned once for each connection, and only there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lockstep.postgres.database import Database
from lockstep.postgres.pool import Pool, open_pool
from lockstep.storage.pipelines import pipelined

STATEMENT = "select count(*) from person where id = any(%s::uuid[])"


@pytest.fixture
async def pool(lockstep_database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(lockstep_database, max_size=1)
    yield pool
    await pool.close()


async def plans_made(pool: Pool) -> list[tuple[int, int]]:
    """How often the connection used a plan for all values of the statement, and how often it made one for its values."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select generic_plans, custom_plans from pg_prepared_statements where statement like 'select count(*) from person%%'"
        )
        return await cursor.fetchall()


async def test_statement_of_a_slice_is_planned_once_for_a_connection(pool: Pool) -> None:
    for _ in range(3):
        async with pipelined(pool, plans_once=True) as connection:
            await connection.execute(STATEMENT, ([],))

    assert await plans_made(pool) == [(3, 0)]


async def test_other_statements_of_the_connection_are_planned_as_before(pool: Pool) -> None:
    async with pipelined(pool, plans_once=True) as connection:
        await connection.execute("select 1")
    async with pool.connection() as connection:
        await connection.execute(STATEMENT, ([],))
        settings = await (
            await connection.execute("select current_setting('plan_cache_mode'), current_setting('enable_seqscan')")
        ).fetchone()

    assert settings == ("auto", "on")
    assert await plans_made(pool) == []


async def test_transaction_that_must_be_durable_waits_for_the_disk_as_configured(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute("set synchronous_commit = remote_apply")
    found = []
    for is_durable in (True, False):
        async with pipelined(pool, is_durable=is_durable) as connection:
            found.append(await (await connection.execute("select current_setting('synchronous_commit')")).fetchone())

    assert found == [("remote_apply",), ("off",)]
