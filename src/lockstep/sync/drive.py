"""The drive: Procrastinate tasks in the same database. The dirty set is the state; a task only says "look there".

A drain is deferred after the commit that marked rows, never inside it: a waiting task could be taken before the rows are visible.
A crash in between is closed by the sweep. At most one drain of a job waits (queueing lock); whoever finds one waiting is done.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from psycopg_pool import AsyncConnectionPool

from lockstep.postgres.pool import Pool

DRAIN_QUEUE = "drain"
WORK_QUEUE = "work"
DRAIN_TASK = "drain"
IMPORT_TASK = "import_source"


class Drive:
    """Defers tasks. Made on the process's pool; the worker's own app has connections of its own."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def wake(self, jobs: Collection[str]) -> None:
        """Have somebody drain *jobs*, soon. Call it after the commit that marked rows."""
        for job in jobs:
            await self.defer_drain(job)

    async def defer_drain(self, job: str, slot: int = 0) -> bool:
        """Defer one drain; False when one waits already."""
        return await self._defer(DRAIN_TASK, DRAIN_QUEUE, f"drain:{job}:{slot}", {"job": job, "slot": slot})

    async def defer_import(self, source: str, **arguments: Any) -> bool:
        """Defer the import of *source*; False when one waits already. Two imports of one source never overlap."""
        return await self._defer(
            IMPORT_TASK, WORK_QUEUE, f"import:{source}", {"name": source, **arguments}, lock=f"import:{source}"
        )

    async def _defer(
        self, task: str, queue: str, queueing_lock: str, arguments: dict[str, Any], lock: str | None = None
    ) -> bool:
        try:
            await self.app.configure_task(task, queue=queue, queueing_lock=queueing_lock, lock=lock).defer_async(
                **arguments
            )
        except AlreadyEnqueued:
            return False
        return True


async def open_drive(pool: Pool) -> Drive:
    """A drive that uses *pool* for its statements; it needs no closing."""
    connector = PsycopgConnector()
    await connector.open_async(pool)
    return Drive(App(connector=connector))


def connector_beside(pool: Pool, *, size: int = 4) -> PsycopgConnector:
    """A connector with connections of its own to the same database: a worker listens on one for as long as it lives."""
    kwargs = dict(pool.kwargs) if isinstance(pool.kwargs, dict) else {}
    kwargs.pop("autocommit", None)  # Procrastinate gives it itself where it listens
    return PsycopgConnector(
        pool_factory=AsyncConnectionPool,
        conninfo=str(pool.conninfo),
        kwargs=kwargs,
        configure=_configure,
        min_size=1,
        max_size=size,
        name="lockstep worker",
    )


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)
