"""Provide the connection for one pass of a source. A real pass gets a connection with a lock that excludes other passes of the same source.
A rehearsal gets a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lockstep.errors import LockstepError, conflict
from lockstep.postgres.advisory_locks import lock_if_free, session_lock
from lockstep.postgres.pool import Connection, Pool
from lockstep.storage.locks import pass_of_source
from lockstep.storage.sources import end_pass


@asynccontextmanager
async def rehearsing(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection whose transaction is rolled back at the end, so that a pass can show its effects without keeping them. Other
    changes of the directory wait until the pass ends.
    """
    async with pool.connection() as connection:
        async with connection.transaction(force_rollback=True):
            yield connection


@asynccontextmanager
async def alone_with(database: Pool | Connection, source: str) -> AsyncIterator[Connection]:
    """Yield a connection that holds a lock against other passes of *source*. If *database* is a connection, it must be in a transaction.
    Raises LockstepError if another pass has the lock.
    """
    name = pass_of_source(source)
    if isinstance(database, Pool):
        async with session_lock(database, name) as connection:
            if connection is None:
                raise _already_running(source)
            yield connection
            await end_pass(connection)
    else:
        if not await lock_if_free(database, name):
            raise _already_running(source)
        yield database
        await end_pass(database)


def _already_running(source: str) -> LockstepError:
    return conflict(
        f"The source {source} is already being imported",
        next_step=f"Watch it: lockstep sources status {source}",
    )
