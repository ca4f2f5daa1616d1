"""If two workers take one account at the same moment, the second waits for the first, and is then too late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from lockstep.postgres.database import Database
from lockstep.postgres.pool import Pool, open_pool, transaction
from lockstep.storage import taking
from lockstep.storage.taking import Taking
from tests.support.waiting import until

JOB = "app.tenant.taking"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def pool(lockstep_database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(lockstep_database, max_size=3)
    yield pool
    await pool.close()


def create(*keys: str, since: datetime = LONG_AGO) -> Taking:
    return Taking(str(uuid4()), "User", str(uuid4()), "", keys, since)


def link(account: str) -> Taking:
    return Taking(str(uuid4()), "User", str(uuid4()), account, (), LONG_AGO)


async def journal(pool: Pool, one: Taking, *, state: str = "planned", settled_at: datetime | None = None) -> None:
    async with transaction(pool) as connection:
        await _journal(connection, one, state, settled_at)


async def _journal(connection: object, one: Taking, state: str, settled_at: datetime | None) -> None:
    await connection.execute(  # type: ignore[attr-defined]
        """insert into operation (id, job, kind, source_id, target_id, action, state, attempt, match_key, other_keys, settled_at)
        values (%s, %s, %s, %s, %s, 'create', %s, 1, %s, %s, %s)""",
        (one.id, JOB, one.kind, one.source_id, one.target_id, state, one.keys[0] if one.keys else None, list(one.keys[1:]),
         settled_at),
    )  # fmt: skip


async def late(pool: Pool, *takings: Taking, lag_seconds: float = 0.0) -> set[str]:
    async with transaction(pool) as connection:
        return await taking.lock(connection, JOB, takings, lag_seconds=lag_seconds)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (create("one"), create("one")),
        (create("a", "one"), create("one")),
        (create("one"), create("b", "one")),
        (create("c", "one"), create("d", "one")),
        (link("x"), link("x")),
    ],
)
async def test_second_of_two_workers_waits_and_comes_too_late(pool: Pool, first: Taking, second: Taking) -> None:
    async with transaction(pool) as connection:
        assert await taking.lock(connection, JOB, [first]) == set()
        await _journal(connection, first, "planned", None)
        other = asyncio.create_task(late(pool, second))

        async def waits() -> bool:
            async with pool.connection() as looking:
                cursor = await looking.execute(
                    "select count(*) from pg_locks where locktype = 'advisory' and not granted"
                )
                row = await cursor.fetchone()
            return other.done() or bool(row and row[0])

        await until(waits)
        assert not other.done()

    assert await other == {second.id}


async def test_of_one_batch_the_first_takes_the_account(pool: Pool) -> None:
    first, second, third = create("one", "two"), create("two"), create("three")

    assert await late(pool, first, second, third) == {second.id}


async def test_what_was_created_since_the_plan_began_to_read_comes_first(pool: Pool) -> None:
    read_at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    await journal(pool, create("before"), state="confirmed", settled_at=read_at - timedelta(seconds=1))
    await journal(pool, create("since"), state="confirmed", settled_at=read_at + timedelta(seconds=1))
    await journal(pool, create("refused"), state="refused", settled_at=read_at + timedelta(seconds=1))
    plans = {key: create(key, since=read_at) for key in ("before", "since", "refused")}

    assert await late(pool, *plans.values()) == {plans["since"].id}
    # A search may still miss what was created a moment before it.
    assert await late(pool, *plans.values(), lag_seconds=2) == {plans["since"].id, plans["before"].id}


@pytest.mark.parametrize(
    ("state", "changed_since", "is_late"),
    [("live", False, True), ("disabled", False, False), ("disabled", True, True), ("tombstone", False, False),
     ("tombstone", True, True)],
)  # fmt: skip
async def test_account_is_linked_only_as_it_was_found(
    pool: Pool, state: str, changed_since: bool, is_late: bool
) -> None:
    """Later events of the account, even its deletion, are read first."""
    changed_at = LONG_AGO + timedelta(seconds=1 if changed_since else -1)
    account = f"{state} {changed_since}"
    async with transaction(pool) as connection:
        await connection.execute(
            """insert into link (job, kind, source_id, target_id, state, updated_at)
            values (%s, 'User', gen_random_uuid(), %s, %s, %s)""",
            (JOB, account, state, changed_at),
        )
    wanted = link(account)

    assert await late(pool, wanted) == ({wanted.id} if is_late else set())
