"""Advisory locks: whatever happens to the session that has the lock, the next session can take it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from lockstep.postgres.advisory_locks import LockName, lock_if_free, session_lock
from lockstep.postgres.database import Database
from lockstep.postgres.pool import Pool, open_pool, transaction

NAME = LockName("import")
STEPS = 60  # more than taking, holding and releasing the lock takes


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with await open_pool(database, max_size=2) as pool:
        yield pool


async def is_free(database: Database) -> bool:
    """Whether a session outside the pool gets the lock: the session that holds it would get it again."""
    async with await psycopg.AsyncConnection.connect(database.conninfo) as outsider:
        return await lock_if_free(outsider, NAME)


async def becomes_free(database: Database) -> bool:
    """Whether the lock is free once the server has noticed the end of closed sessions."""
    for _ in range(500):
        if await is_free(database):
            return True
        await asyncio.sleep(0.01)
    return False


async def hold_shortly(pool: Pool) -> None:
    async with session_lock(pool, NAME):
        await asyncio.sleep(0)


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_holder_that_is_cancelled_at_any_moment_leaves_the_lock_free(
    database: Database, pool: Pool, cancellations: int
) -> None:
    for steps in range(STEPS):
        task = asyncio.create_task(hold_shortly(pool))
        for _ in range(steps):
            await asyncio.sleep(0)
        for _ in range(cancellations):
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(task, return_exceptions=True)
        assert await becomes_free(database), f"cancelled after {steps} steps"


async def test_holder_that_fails_leaves_the_lock_free(database: Database, pool: Pool) -> None:
    with pytest.raises(ZeroDivisionError):
        async with session_lock(pool, NAME):
            raise ZeroDivisionError

    assert await becomes_free(database)


async def test_lock_is_free_after_its_block(database: Database, pool: Pool) -> None:
    async with session_lock(pool, NAME) as first:
        assert first is not None
        assert not await is_free(database)

    assert await is_free(database)


async def test_lock_of_a_session_and_of_a_transaction_exclude_each_other(database: Database, pool: Pool) -> None:
    async with session_lock(pool, NAME):
        async with transaction(pool) as other:
            assert not await lock_if_free(other, NAME)

    async with transaction(pool) as holder:
        assert await lock_if_free(holder, NAME)
        assert not await is_free(database)
    assert await is_free(database)
