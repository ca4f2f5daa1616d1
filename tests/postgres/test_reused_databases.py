"""Databases that tests share one after the other are as good as new ones."""

from __future__ import annotations

import pytest

from lockstep.postgres.embedded import EmbeddedServer
from tests.support.databases import Databases
from tests.support.reused_databases import ReusedDatabase, ReusedDatabases

LOCKSTEP = "lockstep.storage.migrations"


@pytest.fixture
def reused(postgres_server: EmbeddedServer, databases: Databases) -> ReusedDatabases:
    return ReusedDatabases(postgres_server, databases)


async def run(one: ReusedDatabase, *statements: str) -> list[object]:
    """The first value of each statement that returns one."""
    pool = await one.pool(max_size=2)
    async with pool.connection() as connection:
        cursors = [await connection.execute(statement.encode()) for statement in statements]
        return [(await cursor.fetchall())[0][0] for cursor in cursors if cursor.description]


async def test_next_test_finds_the_same_database_as_it_was_when_it_was_new(reused: ReusedDatabases) -> None:
    looks = (
        "select count(*) from source",
        "select nextval('object_version')",
        "select json_agg(instance)::text from instance",
        "select count(*) from alembic_version",
    )
    async with reused.lend(LOCKSTEP) as first:
        before = await run(first, *looks)
        await run(
            first, "insert into source (name, kind, display_name) values ('hr', 'csv', 'HR')", "delete from instance"
        )

    async with reused.lend(LOCKSTEP) as second:
        after = await run(second, *looks)

    assert second.database == first.database
    assert after == before
    await reused.close()


@pytest.mark.parametrize(
    "statement",
    [
        "create table more (id int)",
        "alter table source add column more text",
        "alter table source alter column kind drop not null",
        "alter table credential disable trigger retry_with_new_credentials",
        "create or replace function mark_of_test() returns int language sql as 'select 1'",
        "analyze source",
    ],
)
async def test_database_that_is_not_as_it_was_is_not_used_again(reused: ReusedDatabases, statement: str) -> None:
    async with reused.lend(LOCKSTEP) as first:
        await run(first, statement)

    async with reused.lend(LOCKSTEP) as second:
        assert second.database != first.database
    await reused.close()


async def test_database_that_something_still_uses_is_left_alone(reused: ReusedDatabases) -> None:
    async with reused.lend(LOCKSTEP) as first:
        pool = await first.pool(max_size=2)
        busy = await pool.getconn()

    async with reused.lend(LOCKSTEP) as second:
        assert second.database != first.database
    await pool.putconn(busy)
    async with reused.lend(LOCKSTEP) as third:
        assert third.database == first.database
    await reused.close()
