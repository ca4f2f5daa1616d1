"""A transaction in pipeline mode: BEGIN is sent with the first statements, COMMIT with the last.

Read results with `fetch`, which sends everything queued so far. Without `fetch`, errors appear only at the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lockstep.postgres.pool import Connection, Pool, pipeline


@asynccontextmanager
async def pipelined(pool: Pool, *, is_durable: bool = True) -> AsyncIterator[Connection]:
    """Run one transaction in pipeline mode. Unless *is_durable* is true, a crash of PostgreSQL may lose the transaction as a whole."""
    async with pool.connection() as connection, pipeline(connection), connection.transaction():
        if not is_durable:
            await connection.execute("set local synchronous_commit = off")
        yield connection
