"""Locks that a database session holds for longer than a transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lockstep.postgres.pool import Connection, Pool


@asynccontextmanager
async def session_lock(pool: Pool, name: str) -> AsyncIterator[Connection | None]:
    """Yield a connection that holds the lock *name* during the block, or None if another session holds the lock.

    PostgreSQL keeps such a lock until the session ends. If the block fails or is cancelled, the lock may not have been released. The
    connection is then closed: if it went back to the pool, it would keep the lock for as long as the process runs.
    """
    async with pool.connection() as connection, _closed_on_failure(connection):
        cursor = await connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", (name,))
        row = await cursor.fetchone()
        is_ours = bool(row and row[0])
        yield connection if is_ours else None
        if is_ours:
            await connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (name,))


async def lock_for_transaction(connection: Connection, name: str) -> bool:
    """Take the lock *name* of `session_lock` until the transaction of *connection* ends. Returns False if another session has it."""
    cursor = await connection.execute("select pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (name,))
    row = await cursor.fetchone()
    return bool(row and row[0])


@asynccontextmanager
async def _closed_on_failure(connection: Connection) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await connection.close()
        raise
