"""Connect Procrastinate to our database."""

from __future__ import annotations

from typing import Any

import psycopg
from procrastinate import PsycopgConnector

from lockstep.postgres.pool import Pool


def connector_beside(pool: Pool, *, size: int = 4) -> PsycopgConnector:
    """Return a connector that has its own connections to the database of *pool*. It does not share those of *pool*, because a worker that
    listens occupies a connection all the time.
    """
    kwargs = dict(pool.kwargs) if isinstance(pool.kwargs, dict) else {}
    kwargs.pop("autocommit", None)  # Procrastinate sets it on the connection that listens
    return PsycopgConnector(
        pool_factory=Pool,
        conninfo=str(pool.conninfo),
        kwargs=kwargs,
        configure=_configure,
        min_size=1,
        max_size=size,
        name="lockstep worker",
    )


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)
