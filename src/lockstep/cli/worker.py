"""`lockstep worker`: additional workers on any machine.

This module does not import the pages or the API, because loading them would cost every worker almost a second and additional memory.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path

import click
import uvloop

from lockstep.cli.events import log_to_stderr
from lockstep.cli.monitoring import RequestTimes, metrics_of
from lockstep.cli.output import hint
from lockstep.cli.session import globals_of
from lockstep.cli.stopping import either, until_stopped
from lockstep.process.garbage_collection import settle_garbage
from lockstep.serving.health import serving_health
from lockstep.settings import Settings, load_settings
from lockstep.wiring import House, open_house


@click.command()
@click.option("--data", "folder", type=click.Path(path_type=Path, file_okay=False), help="The data folder.")
@click.option("--concurrency", type=click.IntRange(1, 64), help="Number of parallel tasks (default: 4).")
@click.option(
    "--health-port",
    type=click.IntRange(1, 65535),
    help="Port for /healthz, /readyz and /metrics (default: none).",
)
@click.pass_context
def worker(ctx: click.Context, folder: Path | None, concurrency: int | None, health_port: int | None) -> None:
    """Run an additional worker, on this machine or another, with the same database and key.

    \b
    lockstep worker
    DATABASE_URL=postgresql://lockstep@db/lockstep LOCKSTEP_KEY_FILE=key lockstep worker
    """
    settings = load_settings(os.environ, {"data": folder or globals_of(ctx).data, "worker_concurrency": concurrency})
    log_to_stderr(level=settings.log_level, form=settings.log_format)
    uvloop.run(_work(settings, health_port=health_port))


async def _work(settings: Settings, *, health_port: int | None) -> None:
    times = RequestTimes.new()
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(settings, main=False, say=hint, observer=times.note))
        if health_port is not None:
            metrics = await metrics_of(house, times, whole=False)
            await stack.enter_async_context(
                serving_health(
                    house.pool, metrics, host=settings.host, port=health_port, is_reachable=house.server.is_reachable
                )
            )
        await work_until_stopped(house, f"Lockstep worker started, data folder {settings.data}", has_worker=True)


async def work_until_stopped(house: House, ready_line: str, *, has_worker: bool) -> None:
    """Print *ready_line* once the process is ready. On SIGTERM or Ctrl-C, finish the work in progress and return."""
    services = house.services()
    ready = asyncio.Event()
    work = house.work(services, ready=ready) if has_worker else services.stopping.wait()
    task: asyncio.Task[object] = asyncio.create_task(work, name="worker")
    try:
        if has_worker:
            await either(ready.wait(), task)
        settle_garbage()
        hint(ready_line)
        await until_stopped(task)
        hint("Stopping: finishing work in progress")
    finally:
        services.stopping.set()
        await asyncio.gather(task, return_exceptions=True)
