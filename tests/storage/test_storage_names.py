"""People and groups are found by name or id on a real database, with an index instead of a full scan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from lockstep.postgres.database import Database
from lockstep.postgres.pool import Connection, open_pool
from lockstep.storage import groups, people, sources

COUNT = 3_000
Find = Callable[..., Awaitable[Any]]


@pytest.fixture
async def connection(lockstep_database: Database) -> AsyncIterator[Connection]:
    """A large directory; the last people are in the recycle bin."""
    pool = await open_pool(lockstep_database, max_size=1)
    async with pool.connection() as connection:
        await sources.save_source(connection, "hr", kind="csv", display_name="HR", config={})
        for table, name in (("person", "user_principal_name"), ("grp", "display_name")):
            await connection.execute(
                f"""insert into {table} (id, source, anchor, attributes, {name}, deleted_at)
                select lpad(to_hex(number), 32, '0')::uuid, 'hr', number::text, '{{}}', 'Name' || number || '@x.test',
                    case when number > {COUNT - 5} then now() end
                from generate_series(1, {COUNT}) as number"""
            )
            await connection.execute(f"analyze {table}")
        yield connection
    await pool.close()


async def scans_of_everybody(connection: Connection) -> int:
    cursor = await connection.execute(
        "select sum(seq_scan)::int from pg_stat_xact_user_tables where relname in ('person', 'grp')"
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("find", [people.find_person, groups.find_groups])
@pytest.mark.parametrize(
    ("wanted", "is_deleted"),
    [("nAME7@x.test", False), (str(UUID(int=7)), False), (f"name{COUNT}@x.test", True), ("nobody", False), ("nobody", True)],
)  # fmt: skip
async def test_looking_up_a_name_never_reads_everybody(
    connection: Connection, find: Find, wanted: str, is_deleted: bool
) -> None:
    async with connection.transaction():
        found = await find(connection, wanted, is_deleted=is_deleted)
        assert await scans_of_everybody(connection) == 0

    assert bool(found) is (wanted != "nobody")


@pytest.mark.parametrize("find", [people.find_person, groups.find_groups])
async def test_name_is_found_only_where_it_is_looked_for(connection: Connection, find: Find) -> None:
    assert not await find(connection, f"name{COUNT}@x.test")
    assert not await find(connection, "name7@x.test", is_deleted=True)
    assert not await find(connection, "00000000-0000-0000-0000-not-really-an-id", is_deleted=False)
