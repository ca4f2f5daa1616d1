"""Searching by a part of a text uses the indexes of trigrams, and finds what a reading of the whole table would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from lockstep.postgres.database import Database
from lockstep.postgres.pool import Connection, open_pool
from lockstep.storage import people, people_counts, provisioning_log, search, sources
from lockstep.storage.people import PersonFilter
from lockstep.storage.provisioning_log import LogFilter

COUNT = 3_000


@pytest.fixture
async def connection(lockstep_database: Database) -> AsyncIterator[Connection]:
    """A large directory and a log with a record of everybody."""
    pool = await open_pool(lockstep_database, max_size=1)
    async with pool.connection() as connection:
        await sources.save_source(connection, "hr", kind="csv", display_name="HR", config={})
        for statement in (
            """insert into person (id, source, anchor, attributes, user_principal_name, account_enabled, deleted_at)
            select lpad(to_hex(n), 32, '0')::uuid, 'hr', n::text, '{"department": "sales"}', 'name' || n || '@x.test', n % 3 > 0,
                case when n % 100 = 0 then now() end from generate_series(1, %(count)s) as n""",
            """insert into grp (id, source, anchor, attributes, display_name)
            select lpad(to_hex(n + 10000), 32, '0')::uuid, 'hr', n::text, '{}', 'Größe ' || n from generate_series(1, %(count)s) as n""",
            """insert into provisioning_log (id, change_id, job, app, action, status, kind, source_id, source_display, target_id,
                reason, record)
            select gen_random_uuid(), gen_random_uuid(), 'j', gen_random_uuid(), 'create', 'success', 'User',
                lpad(to_hex(n), 32, '0')::uuid, 'name' || n || '@x.test', 'account-' || n, 'reason ' || n % 50, '{}'
            from generate_series(1, %(count)s) as n""",
        ):
            await connection.execute(statement.replace("%(count)s", str(COUNT)))
        await connection.execute("analyze")
        await connection.execute(
            "set enable_seqscan = off"
        )  # the tables are small: what matters is that an index serves
        yield connection
    await pool.close()


async def whole_reads(connection: Connection) -> int:
    cursor = await connection.execute(
        """select coalesce(sum(seq_scan), 0)::int from pg_stat_xact_user_tables
        where relname in ('person', 'grp', 'provisioning_log')"""
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def test_people_and_groups_are_found_without_reading_everybody(connection: Connection) -> None:
    async with connection.transaction():
        one = await search.find_people(connection, ["NAME2999"], limit=7)
        by_id = await search.find_people(connection, [str(UUID(int=17))], limit=7)
        group = await search.find_groups(connection, ["grosse", "2999"], limit=7)
        listed = await people.list_people(connection, PersonFilter(search="name2999"))
        assert await whole_reads(connection) == 0

    assert [found.user_principal_name for found in one] == ["name2999@x.test"]
    assert [found.user_principal_name for found in by_id] == ["name17@x.test"]
    assert [found.display_name for found in group] == ["Größe 2999"]
    assert len(listed) == 1


@pytest.mark.parametrize("wanted", [LogFilter(text="ACCOUNT-2999"), LogFilter(text="reason 49", person="name99@x.test"),
                                    LogFilter(person="Name2998@x.test"), LogFilter(person=str(UUID(int=2997)))])  # fmt: skip
async def test_the_log_is_searched_without_reading_all_of_it(connection: Connection, wanted: LogFilter) -> None:
    async with connection.transaction():
        found = await provisioning_log.read_log(connection, wanted)
        assert await whole_reads(connection) == 0

    assert len(found) == 1


async def test_short_texts_and_signs_are_found_as_they_are_typed(connection: Connection) -> None:
    async def number(text: str) -> int:
        return len(await provisioning_log.read_log(connection, LogFilter(text=text), limit=COUNT))

    assert await number("9@") == 300
    assert (await number("%"), await number("_"), await number("name_1")) == (0, 0, 0)
    assert await number("REASON 7") == 60


async def test_people_are_counted_in_every_state_by_one_reading(connection: Connection) -> None:
    async with connection.transaction():
        counts = await people_counts.count_states(
            connection, PersonFilter(is_enabled=False, department="Sales", after="name1")
        )
        assert await whole_reads(connection) == 1

    assert (counts.live, counts.enabled, counts.disabled, counts.deleted) == (2970, 1980, 990, 30)
    assert await people.count_people(connection, PersonFilter(is_enabled=True)) == 1980
    assert await people.count_people(connection, PersonFilter(is_deleted=True)) == 30
