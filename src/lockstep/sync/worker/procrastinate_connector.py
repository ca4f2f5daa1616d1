"""How Procrastinate connects to our database."""

from __future__ import annotations

from typing import Any

import psycopg
from procrastinate import PsycopgConnector

from lockstep.postgres.pool import Pool


def connector_beside(pool: Pool, *, size: int = 4) -> PsycopgConnector:
    """A connector with connections of its own to the same database: a worker listens on one for as long as it lives."""
    kwargs = dict(pool.kwargs) if isinstance(pool.kwargs, dict) else {}
    kwargs.pop("autocommit", None)  # Procrastinate gives it itself where it listens
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
