"""A statement about some objects reads only the rows of these objects, however large the tables and however old the statistics are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from lockstep.engine.records import ObjectKind
from lockstep.postgres.database import Database
from lockstep.postgres.pool import Connection, Pool, open_pool, transaction
from lockstep.storage import provisioning_log, taking, unkept
from lockstep.storage.batches import only_row
from lockstep.storage.taking import Taking
from lockstep.storage.unkept import KeptAttribute

JOB = "app.tenant.plans"
MANY = 1_000
FEW = 20


@pytest.fixture
async def pool(lockstep_database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(lockstep_database, max_size=2)
    yield pool
    await pool.close()


async def grow(pool: Pool, statement: str) -> None:
    """Run *statement*, which adds *number* rows to a table that the planner has no statistics of yet."""
    async with pool.connection() as connection:
        await connection.execute(statement, {"job": JOB, "number": MANY})


async def entries_read(connection: Connection, relation: str) -> int:
    """How many entries of an index, or rows of a table by sequential scans, this transaction has read."""
    return int(
        (
            await only_row(
                await connection.execute("select pg_stat_get_xact_tuples_returned(%s::regclass)", (relation,))
            )
        )[0]
    )


def create(number: int) -> Taking:
    now = datetime.now(UTC)
    return Taking(str(uuid4()), ObjectKind.USER, str(UUID(int=number)), "", (f"new {number}", f"second {number}"), now)


async def test_rival_of_a_create_is_found_by_its_key_without_reading_all_open_operations(pool: Pool) -> None:
    await grow(
        pool,
        """insert into operation (id, job, kind, source_id, action, state, attempt, match_key)
        select gen_random_uuid(), %(job)s, 'User', gen_random_uuid(), 'create', 'planned', 1, gen_random_uuid()::text
        from generate_series(1, %(number)s)""",
    )

    async with transaction(pool) as connection:
        await taking.lock(connection, JOB, [create(number) for number in range(FEW)])
        assert await entries_read(connection, "operation_open") < MANY


async def test_last_skip_of_an_object_is_found_without_reading_the_log_of_its_job(pool: Pool) -> None:
    await grow(
        pool,
        """insert into provisioning_log (id, change_id, job, app, action, status, kind, source_id, source_display, reason,
            duration_ms, initiated_by, record)
        select gen_random_uuid(), gen_random_uuid(), %(job)s, gen_random_uuid(), 'create', 'success', 'User', gen_random_uuid(),
            'somebody', '', 1, 'system', '{}' from generate_series(1, %(number)s)""",
    )

    async with transaction(pool) as connection:
        await provisioning_log.last_skip_reasons(connection, JOB, "User", [str(UUID(int=one)) for one in range(FEW)])
        assert await entries_read(connection, "provisioning_log_job") < MANY


async def test_links_are_not_read_if_no_attribute_is_kept_again(pool: Pool) -> None:
    await grow(
        pool,
        """insert into link (job, kind, source_id, target_id, state, display, desired_hash)
        select %(job)s, 'User', gen_random_uuid(), gen_random_uuid()::text, 'live', '', gen_random_uuid()::text
        from generate_series(1, %(number)s)""",
    )

    async with transaction(pool) as connection:
        await connection.execute("analyze link")
        await unkept.note_kept(connection, JOB, [KeptAttribute(ObjectKind.USER, "userName")])
        assert await entries_read(connection, "link") == 0
