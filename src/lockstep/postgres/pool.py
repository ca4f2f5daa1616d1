"""Pools of connections, and transactions on them.

Connections are in autocommit mode: a single statement takes one round trip, and statements that belong together use `transaction`.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from lockstep.errors import unreachable
from lockstep.postgres.database import Database

Connection = psycopg.AsyncConnection[Any]


class Pool(AsyncConnectionPool[Connection]):
    """A pool that does not lose cancellations.

    The driver waits with `asyncio.wait_for`. Before Python 3.12, that function returns normally if its result arrives at the moment of the
    cancellation. The cancelled task would then continue with its connection, and the code that cancelled the task would wait forever.
    """

    async def getconn(self, timeout: float | None = None) -> Connection:
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task is not None else 0
        connection = await super().getconn(timeout)
        if task is not None and task.cancelling() > cancelled_before:
            await self.putconn(connection)
            raise asyncio.CancelledError
        return connection


set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)


async def open_pool(
    database: Database, *, min_size: int = 1, max_size: int = 8, name: str = "lockstep", timeout_seconds: float = 30.0
) -> Pool:
    """Open a pool whose connections use UTC and orjson; *name* is shown in pg_stat_activity.

    Raises LockstepError if no connection can be made within *timeout_seconds*.
    """
    pool = Pool(
        database.conninfo,
        kwargs=connection_options(database, name=name),
        min_size=min_size,
        max_size=max_size,
        timeout=timeout_seconds,
        name=name,
        check=check_connection,
        open=False,
    )
    try:
        await pool.open(wait=True, timeout=timeout_seconds)
    except PoolTimeout:
        await pool.close()
        raise unreachable(
            f"PostgreSQL did not accept a connection within {timeout_seconds:.0f} seconds ({database.place})",
            next_step="Check that it is running and has free connections",
        ) from None
    return pool


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Run the block in one transaction on a connection of *pool*. The transaction is committed at the end of the block, and rolled back if
    the block raises.

    Raises LockstepError if no connection becomes free in time.
    """
    try:
        connection = await pool.getconn()
    except PoolTimeout:
        raise unreachable(
            f"No PostgreSQL connection became free within {pool.timeout:.0f} seconds",
            next_step="Try again; if this persists, see what PostgreSQL is doing: select * from pg_stat_activity",
        ) from None
    try:
        async with connection.transaction():
            yield connection
    finally:
        await pool.putconn(connection)


@asynccontextmanager
async def pipeline(connection: Connection) -> AsyncIterator[None]:
    """Send the statements of the block together. If a pipeline fails, its connection is discarded.

    The driver assumes that the statements after the failed one were prepared, although they were not. If the connection went back to the
    pool, every use of one of these statements would fail.
    """
    try:
        async with connection.pipeline():
            yield
    except (psycopg.Error, asyncio.CancelledError):
        await connection.close()
        raise


def connection_options(database: Database, *, name: str) -> dict[str, Any]:
    """Return the keyword arguments of psycopg for all connections."""
    given = str(conninfo_to_dict(database.conninfo).get("options") or "")
    return {
        "autocommit": True,
        "application_name": name,
        "client_encoding": "UTF8",
        "options": f"{given} -c TimeZone=UTC".strip(),
        "connect_timeout": 10,
    }


async def check_connection(connection: Connection) -> None:
    """Raise OperationalError if *connection* is dead, so that the pool replaces it before handing it out.

    An idle connection receives no data. If its socket is readable nevertheless, the connection has usually been closed, and only then is
    the server asked. Checking out a healthy connection therefore costs no round trip.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP)
    if poll.poll(0):
        await Pool.check_connection(connection)
