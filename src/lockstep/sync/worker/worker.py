"""A worker runs tasks until it is told to stop, and survives an outage of the database.

If PostgreSQL fails, work in progress is abandoned: the journal and the leases show what has to be settled. The worker waits until the
database responds and starts again.
"""

from __future__ import annotations

import asyncio

import psycopg
import structlog
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from psycopg_pool import PoolTimeout

from lockstep.errors import LockstepError
from lockstep.sync.drive import DRAIN_QUEUE, WORK_QUEUE, Drive
from lockstep.sync.services import Services
from lockstep.sync.worker.tasks import STALLED_AFTER_SECONDS, Housekeeping, ImportSource, build_app, run_sweep

log = structlog.get_logger()

DRAINS_AT_ONCE = 64  # drains mostly wait for applications, and one slow application must not hold up the others
HEARTBEAT_SECONDS = 5.0
POLL_SECONDS = 1.0  # a notification that arrives while a task is fetched is lost; polling finds its task
GRACE_SECONDS = 45.0
LOOK_EVERY_SECONDS = 0.5
DATABASE_LOST = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, ConnectorException)


async def run_worker(
    services: Services,
    *,
    import_source: ImportSource | None = None,
    housekeeping: tuple[Housekeeping, ...] = (),
    concurrency: int = 4,
    ready: asyncio.Event | None = None,
) -> None:
    """Work until `services.stopping` is set; then finish the requests in progress, record their outcomes, and return."""
    try:
        while not services.stopping.is_set():
            app = build_app(services, import_source=import_source, housekeeping=housekeeping)
            try:
                await _run_until_stopped(services, app, concurrency=concurrency, ready=ready)
            except DATABASE_LOST as lost:
                log.warning("database_lost", error=type(lost).__name__)
                await _until_database_answers(services)
    finally:
        services.stopping.set()


async def _run_until_stopped(services: Services, app: App, *, concurrency: int, ready: asyncio.Event | None) -> None:
    async with app.open_async():
        workers = [
            asyncio.create_task(_take(app, DRAIN_QUEUE, DRAINS_AT_ONCE), name="drains"),
            asyncio.create_task(_take(app, WORK_QUEUE, concurrency), name="work"),
        ]
        stop = asyncio.create_task(services.stopping.wait())
        try:
            await run_sweep(services, Drive(app=app), app)
            if ready is not None:
                ready.set()
            await asyncio.wait([*workers, stop], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            for worker in workers:
                worker.cancel()
            results = await asyncio.gather(*workers, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _take(app: App, queue: str, concurrency: int) -> None:
    await app.run_worker_async(
        queues=[queue],
        name=queue,
        concurrency=concurrency,
        install_signal_handlers=False,
        fetch_job_polling_interval=POLL_SECONDS,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=STALLED_AFTER_SECONDS,
        delete_jobs="successful",
        shutdown_graceful_timeout=GRACE_SECONDS,
    )


async def _until_database_answers(services: Services) -> None:
    """Wait until the database executes a statement again or the process stops."""
    while not services.stopping.is_set():
        try:
            async with services.pool.connection(timeout=LOOK_EVERY_SECONDS) as connection:
                await connection.execute("select 1")
        except (*DATABASE_LOST, LockstepError):
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            continue
        return
