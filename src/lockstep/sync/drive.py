"""Queue Procrastinate tasks in the same database. A task only names the job to work on; the work itself is in the dirty set.

A drain is queued after the transaction that marked rows has committed. If it were queued inside the transaction, a worker could take the
task before the rows are visible. If the process crashes between the commit and the queueing, the sweep finds the rows. A queueing lock
allows at most one queued drain for each job and slot. A caller need not act if that drain is already queued.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from lockstep.postgres.pool import Pool

if TYPE_CHECKING:
    from procrastinate import App

DRAIN_QUEUE = "drain"
WORK_QUEUE = "work"
DRAIN_TASK = "drain"
IMPORT_TASK = "import_source"


class Drive:
    """Puts tasks into the queue, through the *app* of a worker or through connections of *pool*. Callers need not close a `Drive`."""

    def __init__(self, *, app: App | None = None, pool: Pool | None = None) -> None:
        self._app = app
        self._pool = pool

    async def app(self) -> App:
        """Return the app that queues tasks. It is opened on first use, because most commands only read."""
        if self._app is None:
            from procrastinate import App, PsycopgConnector

            connector = PsycopgConnector()
            await connector.open_async(self._pool)
            self._app = App(connector=connector)
        return self._app

    async def wake(self, jobs: Collection[str]) -> None:
        """Make a worker drain *jobs* soon. Call this after the commit that marked rows."""
        for job in jobs:
            await self.defer_drain(job)

    async def defer_drain(self, job: str, slot: int = 0) -> bool:
        """Queue a drain of *job*. Returns False if one is already queued in the same *slot*. Slot 1 is for a second worker that helps with
        a large job.
        """
        return await self._defer(DRAIN_TASK, DRAIN_QUEUE, f"drain:{job}:{slot}", {"job": job, "slot": slot})

    async def defer_import(self, source: str, **arguments: Any) -> bool:
        """Queue the import of *source*. Returns False if one is already queued. Two imports of one source never overlap."""
        return await self._defer(
            IMPORT_TASK, WORK_QUEUE, f"import:{source}", {"name": source, **arguments}, lock=f"import:{source}"
        )

    async def _defer(
        self, task: str, queue: str, queueing_lock: str, arguments: dict[str, Any], lock: str | None = None
    ) -> bool:
        from procrastinate.exceptions import AlreadyEnqueued

        app = await self.app()
        try:
            await app.configure_task(task, queue=queue, queueing_lock=queueing_lock, lock=lock).defer_async(**arguments)
        except AlreadyEnqueued:
            return False
        return True
