"""The tasks of a worker: drain, imports, and what happens by the clock.

Every task may run twice, late, or on another machine: each begins by reading what is so now. Sweep and schedule only open and wake;
they never write to an application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog
from procrastinate import App, JobContext
from procrastinate.jobs import Status

from lockstep.storage import dirty, jobs, links, provisioning_log
from lockstep.sync.cycle import open_scheduled_cycle
from lockstep.sync.drain import drain_job
from lockstep.sync.drive import DRAIN_QUEUE, DRAIN_TASK, IMPORT_TASK, WORK_QUEUE, Drive, connector_beside
from lockstep.sync.services import Services

log = structlog.get_logger()

ImportSource = Callable[..., Awaitable[Any]]
Housekeeping = Callable[[], Awaitable[Any]]

EVERY_10_SECONDS = "* * * * * */10"
EVERY_MINUTE = "* * * * *"
EVERY_HOUR = "17 * * * *"
DRAINS_AT_ONCE = 64  # they wait for applications most of the time; one slow application must not hold up the others
STALLED_AFTER_SECONDS = 30.0
HEARTBEAT_SECONDS = 5.0
POLL_SECONDS = 1.0  # a notification that comes while a task is fetched is lost; polling finds its task


def build_app(
    services: Services, *, import_source: ImportSource | None = None, housekeeping: tuple[Housekeeping, ...] = ()
) -> App:
    """The tasks, bound to *services*. *import_source* reads one source into the directory; *housekeeping* is run every hour."""
    app = App(connector=connector_beside(services.pool))
    drive = Drive(app)

    @app.task(name=DRAIN_TASK, queue=DRAIN_QUEUE)
    async def drain(job: str, slot: int = 0) -> None:
        await drain_job(services, drive, job)

    @app.task(name=IMPORT_TASK, queue=WORK_QUEUE)
    async def run_import(name: str, **arguments: Any) -> None:
        if import_source is not None:
            await import_source(name, **arguments)

    @app.periodic(cron=EVERY_10_SECONDS)
    @app.task(name="sweep", queue=WORK_QUEUE, queueing_lock="sweep", pass_context=True)
    async def sweep(context: JobContext, timestamp: int) -> None:
        await run_sweep(services, drive, app)

    @app.periodic(cron=EVERY_MINUTE)
    @app.task(name="schedule", queue=WORK_QUEUE, queueing_lock="schedule")
    async def schedule(timestamp: int) -> None:
        await run_schedule(services, drive)

    @app.periodic(cron=EVERY_HOUR)
    @app.task(name="housekeeping", queue=WORK_QUEUE, queueing_lock="housekeeping")
    async def keep_house(timestamp: int) -> None:
        await run_housekeeping(services, app, housekeeping)

    return app


async def run_sweep(services: Services, drive: Drive, app: App | None = None) -> list[str]:
    """Wake every job that has due rows, whoever forgot to; returns them. Tasks of dead workers go back to the queue."""
    if app is not None:
        await rescue_stalled(app)
    async with services.pool.connection() as connection:
        await links.mark_reviews_due(connection)
        due = await dirty.jobs_with_due_work(connection)
    await drive.wake(due)
    return due


async def rescue_stalled(app: App) -> int:
    """Queue the tasks again whose worker has stopped giving signs of life; returns how many."""
    stalled = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS))
    for task in stalled:
        if task.task_name == IMPORT_TASK:
            await app.job_manager.retry_job(task)
        else:  # its successor is deferred anyway by whoever finds work
            await app.job_manager.finish_job(task, Status.ABORTED, delete_job=True)
    return len(stalled)


async def run_schedule(services: Services, drive: Drive) -> list[str]:
    """Open a cycle for every job that has not had one for its interval; returns those jobs."""
    opened = []
    async with services.pool.connection() as connection:
        due = await jobs.jobs_with_due_cycle(connection)
    for job in due:
        await open_scheduled_cycle(services, job)
        opened.append(job)
    await drive.wake(opened)
    return opened


async def run_housekeeping(services: Services, app: App | None, more: tuple[Housekeeping, ...] = ()) -> None:
    """Remove what is too old: log records, finished tasks; then do what the other rooms asked for."""
    async with services.pool.connection() as connection:
        await provisioning_log.purge_log(connection, services.times.log_retention)
    if app is not None:
        await app.job_manager.delete_old_jobs(
            nb_hours=24, include_failed=True, include_cancelled=True, include_aborted=True
        )
    for one in more:
        await one()


async def run_worker(
    services: Services,
    *,
    import_source: ImportSource | None = None,
    housekeeping: tuple[Housekeeping, ...] = (),
    concurrency: int = 4,
    ready: asyncio.Event | None = None,
) -> None:
    """Work until `services.stopping` is set; then finish requests that are under way, record their outcomes, and return."""
    app = build_app(services, import_source=import_source, housekeeping=housekeeping)
    async with app.open_async():
        workers = [
            asyncio.create_task(_work(app, DRAIN_QUEUE, DRAINS_AT_ONCE), name="drains"),
            asyncio.create_task(_work(app, WORK_QUEUE, concurrency), name="work"),
        ]
        try:
            await run_sweep(services, Drive(app), app)
            if ready is not None:
                ready.set()
            stop = asyncio.create_task(services.stopping.wait())
            await asyncio.wait([*workers, stop], return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
        finally:
            services.stopping.set()
            for worker in workers:
                worker.cancel()
            results = await asyncio.gather(*workers, return_exceptions=True)
            await services.close()
    failed = [one for one in results if isinstance(one, Exception)]
    if failed:
        raise failed[0]


async def _work(app: App, queue: str, concurrency: int) -> None:
    await app.run_worker_async(
        queues=[queue],
        name=queue,
        concurrency=concurrency,
        install_signal_handlers=False,
        fetch_job_polling_interval=POLL_SECONDS,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=STALLED_AFTER_SECONDS,
        delete_jobs="successful",
        shutdown_graceful_timeout=timedelta(seconds=45).total_seconds(),
    )
