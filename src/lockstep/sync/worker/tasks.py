"""The tasks of a worker: drain, imports, and periodic work.

Every task may run twice, late, or on another machine, so each begins by reading the present state. Sweep and schedule only open cycles
and wake drains; they never write to an application.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from procrastinate import App, JobContext
from procrastinate.jobs import Status

from lockstep.postgres.undone import until_done
from lockstep.storage import activity, cycles, jobs, links, operations, sources
from lockstep.storage.backlog import jobs_with_due_work
from lockstep.sync.cycle.frame import open_scheduled_cycle
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.drive import DRAIN_QUEUE, DRAIN_TASK, IMPORT_TASK, WORK_QUEUE, Drive
from lockstep.sync.services import Services
from lockstep.sync.worker.procrastinate_connector import connector_beside

ImportSource = Callable[..., Awaitable[Any]]
Housekeeping = Callable[[], Awaitable[Any]]

EVERY_10_SECONDS = "* * * * * */10"
EVERY_MINUTE = "* * * * *"
EVERY_HOUR = "17 * * * *"
STALLED_AFTER_SECONDS = 30.0
ABANDONED_AFTER = timedelta(hours=1)


def build_app(
    services: Services, *, import_source: ImportSource | None = None, housekeeping: tuple[Housekeeping, ...] = ()
) -> App:
    """Build the tasks, bound to *services*. *import_source* reads one source into the directory; *housekeeping* runs every hour."""
    app = App(connector=connector_beside(services.pool))
    drive = Drive(app=app)

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
    """Queue the tasks of dead workers again, and wake every job that has due rows, in case its wake-up was lost. Returns these jobs.

    First marks the objects whose review is due, and those that have an open operation but no dirty row.
    """
    if app is not None:
        await rescue_stalled(app)
    async with services.pool.connection() as connection:
        await links.mark_reviews_due(connection)
        await operations.mark_forgotten(connection)
        due = await jobs_with_due_work(connection)
    await drive.wake(due)
    return due


async def rescue_stalled(app: App) -> int:
    """Queue again the tasks of workers that no longer send heartbeats. Returns the number of these tasks."""
    stalled = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS))
    for task in stalled:
        if task.task_name == IMPORT_TASK:
            await app.job_manager.retry_job(task)
        else:  # the next process that finds work queues the task again
            await app.job_manager.finish_job(task, Status.ABORTED, delete_job=True)
    return len(stalled)


async def run_schedule(services: Services, drive: Drive) -> list[str]:
    """Open a cycle for every job whose interval has passed, queue an import of every source that is due, and sum up the figures of the
    charts. Returns the jobs whose cycle was opened.
    """
    opened = []
    async with services.pool.connection() as connection:
        due = await jobs.jobs_with_due_cycle(connection)
    for job in due:
        if await until_done(partial(open_scheduled_cycle, services, job)):
            opened.append(job)
    await drive.wake(opened)
    async with services.pool.connection() as connection:
        await activity.sum_up(connection)
        await activity.note_queues(connection)
        unread = await sources.due_for_reading(connection)
    for source in unread:
        await drive.defer_import(source)
    return opened


async def run_housekeeping(services: Services, app: App | None, more: tuple[Housekeeping, ...] = ()) -> None:
    """End abandoned cycles and remove finished tasks, then run the housekeeping that other modules registered."""
    async with services.pool.connection() as connection:
        await cycles.end_abandoned(connection, older_than=ABANDONED_AFTER)
    if app is not None:
        await app.job_manager.delete_old_jobs(
            nb_hours=24, include_failed=True, include_cancelled=True, include_aborted=True
        )
    for one in more:
        await one()
