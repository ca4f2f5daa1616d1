"""Advisory locks of PostgreSQL. The server identifies a lock by a number, which is a digest of the lock's name.

Each product names its locks in one module, `storage/locks.py` and `documo/store/locks.py`, and takes them with the functions of this
module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, NewType

import psycopg

from lockstep.postgres.pool import Connection, Pool

LockName = NewType("LockName", str)

_KEY = "hashtextextended(%s, 0)"
_LOCK = f"select pg_advisory_xact_lock({_KEY})"


async def lock(connection: Connection, name: LockName) -> None:
    """Wait for the lock *name* and hold it until the transaction ends. Taking it twice is harmless."""
    await connection.execute(*lock_statement(name))


def lock_statement(name: LockName) -> tuple[str, tuple[str]]:
    """Return the statement of `lock` with its parameters, to be sent together with others."""
    return _LOCK, (name,)


async def lock_shared(connection: Connection, name: LockName) -> None:
    """Wait until no other transaction holds the lock *name* exclusively, and prevent others from taking it exclusively until this
    transaction ends.
    """
    await connection.execute(f"select pg_advisory_xact_lock_shared({_KEY})", (name,))


async def lock_all(connection: Connection, names: Collection[LockName]) -> None:
    """Wait for all these locks and hold them until the transaction ends.

    They are taken in a fixed order, so that two transactions that need some of the same locks cannot deadlock.
    """
    await connection.execute(
        """select pg_advisory_xact_lock(key) from (
            select distinct hashtextextended(name, 0) as key from unnest(%s::text[]) as name order by key
        ) as keys""",
        (sorted(names),),
    )


async def lock_if_free(connection: Connection, name: LockName) -> bool:
    """Take the lock *name* until the transaction of *connection* ends. Returns False if another session has it."""
    cursor = await connection.execute(f"select pg_try_advisory_xact_lock({_KEY})", (name,))
    row = await cursor.fetchone()
    return bool(row and row[0])


async def lock_for_session(connection: psycopg.AsyncConnection[Any], name: LockName) -> None:
    """Wait for the lock *name* and hold it until *connection* is closed."""
    await connection.execute(f"select pg_advisory_lock({_KEY})", (name,))


@asynccontextmanager
async def session_lock(pool: Pool, name: LockName) -> AsyncIterator[Connection | None]:
    """Yield a connection that holds the lock *name* during the block, or None if another session holds the lock.

    PostgreSQL keeps such a lock until the session ends. If the block fails or is cancelled, the lock may not have been released. The
    connection is then closed: if it went back to the pool, it would keep the lock for as long as the process runs.
    """
    async with pool.connection() as connection, _closed_on_failure(connection):
        cursor = await connection.execute(f"select pg_try_advisory_lock({_KEY})", (name,))
        row = await cursor.fetchone()
        is_ours = bool(row and row[0])
        yield connection if is_ours else None
        if is_ours:
            await connection.execute(f"select pg_advisory_unlock({_KEY})", (name,))


@asynccontextmanager
async def _closed_on_failure(connection: Connection) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await connection.close()
        raise
