"""Pools, transactions and migrations on a real server."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from lockstep.errors import Kind, LockstepError
from lockstep.postgres.database import Database
from lockstep.postgres.migrate import migrate
from lockstep.postgres.pool import open_pool, pipeline, transaction

EXAMPLE = "tests.postgres.example_migrations"
MIGRATE_FROM_ARGUMENTS = """
import asyncio, sys
from lockstep.postgres.database import Database
from lockstep.postgres.migrate import migrate
sys.path.insert(0, sys.argv[2])
print(asyncio.run(migrate(Database("test", "test", sys.argv[1]), "tests.postgres.example_migrations")))
"""


async def test_transaction_that_raises_leaves_nothing_behind(database: Database) -> None:
    async with await open_pool(database, name="test") as pool:
        async with pool.connection() as connection:
            await connection.execute("create table seen (id int)")

        with pytest.raises(ZeroDivisionError):
            async with transaction(pool) as connection:
                await connection.execute("insert into seen values (1)")
                raise ZeroDivisionError

        async with pool.connection() as connection:
            rows = await (await connection.execute("select * from seen")).fetchall()
    assert rows == []


async def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    async with await open_pool(database) as pool, pool.connection() as connection:
        row = await (await connection.execute("select timestamptz '2026-01-01 12:00+02'")).fetchone()

    assert row is not None
    assert row[0].utcoffset() == timedelta(0)
    assert row[0].isoformat() == "2026-01-01T10:00:00+00:00"


async def test_json_goes_there_and_back_unchanged(database: Database) -> None:
    document = {"userName": "zoë", "emails": [{"value": "z@x.org", "primary": True}], "n": 2**53, "nothing": None}

    async with await open_pool(database) as pool, pool.connection() as connection:
        row = await (await connection.execute("select %s::jsonb", (Jsonb(document),))).fetchone()

    assert row is not None
    assert row[0] == document


async def test_pool_replaces_a_connection_that_the_server_closed_before_anybody_gets_it(database: Database) -> None:
    async with await open_pool(database, min_size=1, max_size=1) as pool:
        async with pool.connection() as connection:
            pid = connection.info.backend_pid
        with psycopg.connect(database.conninfo, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 5000)", (pid,))

        async with pool.connection() as connection:
            row = await (await connection.execute("select 1")).fetchone()

    assert row == (1,)


async def test_cancellation_that_meets_a_connection_is_not_lost(database: Database) -> None:
    async with await open_pool(database, max_size=1) as pool:

        async def use_for_ever() -> None:
            async with pool.connection():
                await asyncio.Event().wait()

        for steps in range(12):  # of the event loop, between the return of the connection and the cancellation
            held = await pool.getconn()
            waiting = asyncio.create_task(use_for_ever())
            while not pool.get_stats().get("requests_waiting"):
                await asyncio.sleep(0)
            await pool.putconn(held)
            for _ in range(steps):
                await asyncio.sleep(0)

            waiting.cancel()

            await asyncio.wait([waiting], timeout=5)
            assert waiting.cancelled(), f"lost {steps} steps after the connection came back"


async def test_migrations_apply_every_revision_once_and_then_do_nothing(database: Database) -> None:
    said: list[str] = []

    first = await migrate(database, EXAMPLE, say=said.append)
    second = await migrate(database, EXAMPLE, say=said.append)

    with psycopg.connect(database.conninfo) as connection:
        assert connection.execute("select document ->> 'name' from person").fetchall() == [("100% :sure",)]
    assert (first, second) == (True, False)
    assert len(said) == 1


async def test_up_to_date_database_is_recognised_without_importing_alembic(database: Database) -> None:
    await migrate(database, EXAMPLE)
    code = MIGRATE_FROM_ARGUMENTS + "assert 'alembic' not in sys.modules"

    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, database.conninfo, str(Path(__file__).parents[2]), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()

    assert (child.returncode, said) == (0, b"False\n")


async def test_four_processes_that_start_together_migrate_once(database: Database) -> None:
    arguments = ("-c", MIGRATE_FROM_ARGUMENTS, database.conninfo, str(Path(__file__).parents[2]))

    children = [
        await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
        for _ in range(4)
    ]
    answers = [(await child.communicate())[0] for child in children]

    with psycopg.connect(database.conninfo) as connection:
        assert connection.execute("select count(*) from run_count").fetchone() == (2,)
    assert sorted(answers) == [b"False\n"] * 3 + [b"True\n"]
    assert {child.returncode for child in children} == {0}


async def test_database_newer_than_the_program_is_refused(database: Database) -> None:
    await migrate(database, EXAMPLE)
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute("update alembic_version set version_num = '0007'")

    with pytest.raises(LockstepError) as refused:
        await migrate(database, EXAMPLE)

    assert refused.value.kind is Kind.CONFLICT
    assert "0007" in refused.value.detail


def test_fresh_databases_of_one_migrated_package_do_not_share_rows(database_factory) -> None:  # type: ignore[no-untyped-def]
    first, second = database_factory(EXAMPLE), database_factory(EXAMPLE)

    with psycopg.connect(first.conninfo, autocommit=True) as connection:
        connection.execute("delete from person")

    with psycopg.connect(second.conninfo) as connection:
        assert connection.execute("select count(*) from person").fetchone() == (1,)


async def test_a_failed_pipeline_costs_its_connection_and_the_pool_gives_another(database: Database) -> None:
    pool = await open_pool(database, max_size=1)
    try:
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with pool.connection() as failed, pipeline(failed):
                await failed.execute("select 1 / %s::int", (0,))

        assert failed.closed
        async with pool.connection() as connection:
            assert await (await connection.execute("select 2")).fetchone() == (2,)
    finally:
        await pool.close()
