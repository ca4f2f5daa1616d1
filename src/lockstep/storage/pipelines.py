"""A transaction in pipeline mode: BEGIN is sent with the first statements, COMMIT with the last.

Read results with `fetch`, which sends everything queued so far. Without `fetch`, errors appear only at the end. Every statement is prepared
when a connection uses it for the first time, because a drain repeats the same statements for each batch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from lockstep.postgres.pool import Connection, Pool, pipeline

_PLAN_ONCE = """select set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"""


@asynccontextmanager
async def pipelined(pool: Pool, *, is_durable: bool = True, plans_once: bool = False) -> AsyncIterator[Connection]:
    """Run one transaction in pipeline mode. If *is_durable* is false, a crash of PostgreSQL may lose the whole transaction.

    With *plans_once*, a connection plans each statement once, for all values. The plan stays in use while the tables grow, so it is forced
    to look up rows by index. Do not use *plans_once* for statements that change a table by joining it with a list of values: with old
    statistics, PostgreSQL would read the whole table once and compare every row with the list.
    """
    async with pool.connection() as connection, pipeline(connection), connection.transaction():
        with _preparing(connection):
            if not is_durable:
                await connection.execute("set local synchronous_commit = off")
            if plans_once:
                await connection.execute(_PLAN_ONCE)
            yield connection


@contextmanager
def _preparing(connection: Connection) -> Iterator[None]:
    """Prepare every statement of the block when it is used for the first time."""
    before = connection.prepare_threshold
    connection.prepare_threshold = 0
    try:
        yield
    finally:
        connection.prepare_threshold = before
