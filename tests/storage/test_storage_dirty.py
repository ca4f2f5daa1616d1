"""The dirty set on a real database: the order of claims, leases, and what the sweep finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from lockstep.engine.records import Lane
from lockstep.postgres.pool import Connection, open_pool
from lockstep.storage import cycles, dirty, dirty_marks
from lockstep.storage.backlog import jobs_with_due_work
from tests.support.reused_databases import ReusedDatabase

JOB = "scim.t.a"


def number(value: int) -> str:
    return str(UUID(int=value))


async def mark(connection: Connection, *numbers: int, lane: Lane = Lane.UPDATES, reason: str = "changed") -> None:
    await dirty_marks.mark(connection, JOB, "User", [number(one) for one in numbers], lane=lane, reason=reason)


async def claim(
    connection: Connection, limit: int = 10, *, seconds: float = 60, oldest_first: bool = False
) -> list[int]:
    claims = await dirty.claim(
        connection, JOB, owner="me", limit=limit, lease_seconds=seconds, oldest_first=oldest_first
    )
    return [UUID(one.source_id).int for one in claims]


async def test_many_marks_of_one_object_are_one_row_with_all_reasons(connection: Connection) -> None:
    await mark(connection, 1, reason="changed")
    await mark(connection, 1, lane=Lane.LEAVERS, reason="disabled")
    await mark(connection, 1, lane=Lane.CREATES, reason="changed")

    (row,) = await dirty.claim(connection, JOB, owner="me", limit=10, lease_seconds=60)

    assert (row.lane, sorted(row.reasons)) == (1, ["changed", "disabled"])


async def test_leavers_are_claimed_first(connection: Connection) -> None:
    await mark(connection, 1, 2, 3)
    await mark(connection, 4, lane=Lane.LEAVERS)

    assert (await claim(connection, 2))[0] == 4


async def test_who_waited_longest_is_claimed_in_the_slice_for_the_oldest(connection: Connection) -> None:
    await mark(connection, 1, lane=Lane.RECONCILE)
    await mark(connection, 2, 3, lane=Lane.LEAVERS)

    assert await claim(connection, 1, oldest_first=True) == [1]


async def test_claimed_object_is_given_out_again_only_after_its_lease(connection: Connection) -> None:
    await mark(connection, 1)

    assert await claim(connection, seconds=60) == [1]
    assert await claim(connection) == []
    await connection.execute("update dirty set lease_until = now() - interval '1 second'")
    assert await claim(connection) == [1]


async def test_object_that_changed_after_the_claim_stays_dirty(connection: Connection) -> None:
    await mark(connection, 1, 2)
    claims = await dirty.claim(connection, JOB, owner="me", limit=10, lease_seconds=60)
    await mark(connection, 2)

    await dirty.finish(connection, JOB, claims)

    assert await claim(connection) == [2]


async def test_object_that_the_recording_transaction_marks_itself_stays_dirty(connection: Connection) -> None:
    await mark(connection, 1, 2)
    claims = await dirty.claim(connection, JOB, owner="me", limit=10, lease_seconds=60)
    async with connection.transaction():
        await dirty.fence(connection, JOB, claims)
        await mark(connection, 2)
        await dirty.finish(connection, JOB, claims)

    assert await claim(connection) == [2]


async def test_fence_knows_only_the_newest_attempt(connection: Connection) -> None:
    await mark(connection, 1)
    (old,) = await dirty.claim(connection, JOB, owner="zombie", limit=10, lease_seconds=0)
    (new,) = await dirty.claim(connection, JOB, owner="heir", limit=10, lease_seconds=60)

    assert set(await dirty.fence(connection, JOB, [old])) == set()
    assert set(await dirty.fence(connection, JOB, [new])) == {new.attempt}


async def test_attempt_is_never_used_twice_not_even_by_a_row_that_came_back(connection: Connection) -> None:
    await mark(connection, 1)
    (old,) = await dirty.claim(connection, JOB, owner="zombie", limit=10, lease_seconds=60)
    await connection.execute("delete from dirty")
    await mark(connection, 1)
    (new,) = await dirty.claim(connection, JOB, owner="heir", limit=10, lease_seconds=60)

    assert new.attempt != old.attempt
    assert await dirty.renew(connection, JOB, [old.attempt], owner="zombie", lease_seconds=60) == frozenset()


@pytest.mark.parametrize(
    ("job", "due"),
    [
        ("status = 'on'", True),
        ("status = 'off'", False),
        ("started = false", False),
        ("quarantine = '{\"reason\": \"EncounteredQuarantineException\", \"nextAttempt\": \"2999-01-01T00:00:00Z\"}'", False),
        ("quarantine = '{\"reason\": \"EncounteredQuarantineException\", \"nextAttempt\": \"2020-01-01T00:00:00Z\"}'", True),
        ("quarantine = '{\"reason\": \"EncounteredBaseEscrowThreshold\", \"nextAttempt\": \"2999-01-01T00:00:00Z\"}'", True),
    ],
)  # fmt: skip
async def test_only_jobs_that_may_work_are_swept(connection: Connection, job: str, due: bool) -> None:
    await mark(connection, 1)
    await connection.execute(f"update job set {job}")

    assert await jobs_with_due_work(connection) == ([JOB] if due else [])


async def test_everything_of_a_job_goes_with_it(connection: Connection) -> None:
    await mark(connection, 1)
    await connection.execute(
        "insert into link (job, kind, source_id, target_id, state) values (%s, 'User', %s, 'u', 'live')",
        (JOB, number(1)),
    )

    async with connection.transaction():
        await connection.execute("delete from application")

    for table in ("job", "dirty", "link", "operation"):
        cursor = await connection.execute(f"select count(*) from {table}")
        assert (await cursor.fetchone())[0] == 0  # type: ignore[index]


@pytest.fixture
async def other(reused_lockstep_database: ReusedDatabase, connection: Connection) -> AsyncIterator[Connection]:
    """A second worker's connection."""
    pool = await open_pool(reused_lockstep_database.database, max_size=1)
    async with pool.connection() as second:
        yield second
    await pool.close()


async def test_renewal_waits_for_nobody_who_records(connection: Connection, other: Connection) -> None:
    """Waiting would keep its own rows locked, and a recorder that needs those would deadlock with it."""
    await mark(connection, 1, 2, 3)
    claims = await dirty.claim(connection, JOB, owner="me", limit=10, lease_seconds=60)
    recorded = next(one for one in claims if one.source_id == number(2))

    async with other.transaction():
        await dirty.fence(other, JOB, [recorded])
        async with asyncio.timeout(5):
            renewed = await dirty.renew(connection, JOB, [one.attempt for one in claims], owner="me", lease_seconds=60)

    assert renewed == {one.attempt for one in claims} - {recorded.attempt}


@pytest.mark.parametrize(
    "statement",
    [
        "adopt_due",
        "adopt_due_and_failed",
        "make_failed_due",
        "make_some_failed_due",
        "set_cycle",
        "release_cycle",
        "release",
        "overrule_claims",
    ],
)
async def test_many_rows_are_taken_in_the_order_of_their_ids(
    connection: Connection, other: Connection, statement: str
) -> None:
    for one in (3, 2, 1):  # so that they lie in the table the other way round
        await mark(connection, one)
    claims = await dirty.claim(connection, JOB, owner="me", limit=10, lease_seconds=60)
    cycle = await cycles.open_on_demand(connection, JOB)
    if "failed" in statement:
        await connection.execute(
            "update dirty set failures = 1, lease_until = null, not_before = now() + interval '1 hour'"
        )
    if statement == "release_cycle":
        await dirty_marks.set_cycle(connection, JOB, [one.attempt for one in claims], cycle=cycle)
    calls: dict[str, Any] = {
        "adopt_due": lambda: dirty_marks.adopt_due(connection, JOB, cycle=cycle),
        "adopt_due_and_failed": lambda: dirty_marks.adopt_due_and_failed(connection, JOB, cycle=cycle),
        "make_failed_due": lambda: dirty_marks.make_failed_due(connection, JOB),
        "make_some_failed_due": lambda: dirty_marks.make_some_failed_due(connection, JOB),
        "set_cycle": lambda: dirty_marks.set_cycle(connection, JOB, [one.attempt for one in claims], cycle=cycle),
        "release_cycle": lambda: dirty_marks.release_cycle(connection, cycle),
        "release": lambda: dirty.release(connection, JOB, claims[::-1]),
        "overrule_claims": lambda: dirty_marks.overrule_claims(connection, JOB),
    }
    first, *later = sorted(claims, key=lambda one: one.source_id)

    async with other.transaction():
        await dirty.fence(other, JOB, [first])
        waiting = asyncio.create_task(calls[statement]())
        await _until_somebody_waits(other)
        await other.execute("set local lock_timeout = '2s'")
        assert len(await dirty.fence(other, JOB, later)) == 2
    await waiting


async def test_due_and_failed_objects_join_a_cycle_in_one_order(connection: Connection, other: Connection) -> None:
    """Taking the failed ones first, and then the due ones, would deadlock with a recorder that has an earlier one."""
    await mark(connection, 1, 2)
    await connection.execute(
        "update dirty set failures = 1, not_before = now() + interval '1 hour' where source_id = %s", (number(2),)
    )
    cycle = await cycles.open_on_demand(connection, JOB)

    async with other.transaction():
        await other.execute("select from dirty where source_id = %s for update", (number(1),))
        waiting = asyncio.create_task(dirty_marks.adopt_due_and_failed(connection, JOB, cycle=cycle))
        await _until_somebody_waits(other)
        await other.execute("set local lock_timeout = '2s'")
        await other.execute("select from dirty where source_id = %s for update", (number(2),))

    assert await waiting == 2


async def _until_somebody_waits(connection: Connection) -> None:
    async with asyncio.timeout(20):
        while True:
            cursor = await connection.execute(
                """select exists (
                    select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
                )"""
            )
            row = await cursor.fetchone()
            if row and row[0]:
                return
