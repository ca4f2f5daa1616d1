"""The dirty set on a real database: the order of claims, leases, and who is swept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from lockstep.engine.records import Lane
from lockstep.postgres.database import Database
from lockstep.postgres.pool import Connection, open_pool
from lockstep.storage import dirty, dirty_marks

JOB = "scim.t.a"


@pytest.fixture
async def connection(lockstep_database: Database) -> AsyncIterator[Connection]:
    pool = await open_pool(lockstep_database, max_size=1)
    async with pool.connection() as connection:
        await connection.execute(
            """with app as (insert into application (name, display_name, template) values ('a', 'A', 'x') returning id)
            insert into job (id, app, status, started) select %s, id, 'on', true from app""",
            (JOB,),
        )
        yield connection
    await pool.close()


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


async def test_fence_knows_only_the_newest_attempt(connection: Connection) -> None:
    await mark(connection, 1)
    (old,) = await dirty.claim(connection, JOB, owner="zombie", limit=10, lease_seconds=0)
    (new,) = await dirty.claim(connection, JOB, owner="heir", limit=10, lease_seconds=60)

    assert await dirty.fence(connection, JOB, [old]) == set()
    assert await dirty.fence(connection, JOB, [new]) == {new.attempt}


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
    await connection.execute(f"update job set {job}")  # type: ignore[arg-type]

    assert await dirty.jobs_with_due_work(connection) == ([JOB] if due else [])


async def test_everything_of_a_job_goes_with_it(connection: Connection) -> None:
    await mark(connection, 1)
    await connection.execute(
        "insert into link (job, kind, source_id, target_id, state) values (%s, 'User', %s, 'u', 'live')",
        (JOB, number(1)),
    )

    async with connection.transaction():
        await connection.execute("delete from application")

    for table in ("job", "dirty", "link", "operation"):
        cursor = await connection.execute(f"select count(*) from {table}")  # type: ignore[arg-type]
        assert (await cursor.fetchone())[0] == 0  # type: ignore[index]
