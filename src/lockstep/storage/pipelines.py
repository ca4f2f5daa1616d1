"""A transaction whose statements travel together: BEGIN with the first ones, COMMIT with the last.

Results of statements are read with `fetch`, which makes everything before it travel; without that, errors show at the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lockstep.postgres.pool import Connection, Pool, pipeline


@asynccontextmanager
async def pipelined(pool: Pool, *, is_durable: bool = True) -> AsyncIterator[Connection]:
    """One transaction in pipeline mode. Without *is_durable* a crash of PostgreSQL may lose it whole (never in part)."""
    async with pool.connection() as connection, pipeline(connection), connection.transaction():
        if not is_durable:
            await connection.execute("set local synchronous_commit = off")
        yield connection
