"""A claim is the first change of every dirty row. It must not cost an entry in each index of the table."""

from __future__ import annotations

from uuid import UUID, uuid4

from lockstep.engine.records import Lane
from lockstep.postgres.pool import Connection
from lockstep.storage import dirty, dirty_marks

JOB = f"scim.documo.{UUID(int=1)}"  # as long as the id of a real job, because the room on a page depends on it
OWNER = "0123456789abcdef"
PEOPLE = 2_000


async def test_claim_of_marked_objects_changes_no_index(connection: Connection) -> None:
    ids = [str(uuid4()) for _ in range(PEOPLE)]
    async with connection.transaction():
        before = await _updates(connection)  # those of earlier tests that PostgreSQL has not added up yet
        await dirty_marks.mark(connection, JOB, "User", ids, lane=Lane.CREATES, reason="initialCycle")

        while await dirty.claim(connection, JOB, owner=OWNER, limit=128, lease_seconds=60):
            pass

        after = await _updates(connection)

    assert (after[0] - before[0], after[1] - before[1]) == (PEOPLE, 0)


async def _updates(connection: Connection) -> tuple[int, int]:
    """Return how many rows this session has changed lately, and how many of these changes are in the indexes as well. PostgreSQL adds both
    numbers up between transactions only.
    """
    cursor = await connection.execute(
        "select n_tup_upd, n_tup_upd - n_tup_hot_upd from pg_stat_xact_user_tables where relname = 'dirty'"
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0], row[1]
