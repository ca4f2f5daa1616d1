"""`lockstep serve`: the server, which includes a worker."""

from __future__ import annotations

import os
from pathlib import Path

import click
import uvloop

from lockstep.actions.administrators import first_link
from lockstep.cli.admin_centre import serving_admin_centre
from lockstep.cli.events import log_to_stderr
from lockstep.cli.monitoring import RequestTimes
from lockstep.cli.output import hint
from lockstep.cli.session import globals_of, operator
from lockstep.cli.worker import work_until_stopped
from lockstep.settings import Settings, load_settings
from lockstep.wiring import open_house


@click.command()
@click.option("--data", "folder", type=click.Path(path_type=Path, file_okay=False), help="The data folder.")
@click.option("--host", help="The address to listen on (default: 127.0.0.1).")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on (default: 8080).")
@click.option("--no-worker", is_flag=True, help="Do not run a worker; use `lockstep worker` instead.")
@click.pass_context
def serve(ctx: click.Context, folder: Path | None, host: str | None, port: int | None, no_worker: bool) -> None:
    """Run Lockstep until SIGTERM or Ctrl-C.

    \b
    lockstep serve
    DATABASE_URL=postgresql://lockstep@db/lockstep lockstep serve --host 0.0.0.0
    """
    flags = {"data": folder or globals_of(ctx).data, "host": host, "port": port}
    settings = load_settings(os.environ, flags)
    log_to_stderr(level=settings.log_level, form=settings.log_format)
    uvloop.run(_serve(settings, has_worker=not no_worker))


async def _serve(settings: Settings, *, has_worker: bool) -> None:
    times = RequestTimes.new()
    async with open_house(settings, main=True, say=hint, observer=times.note) as house:
        async with serving_admin_centre(house, times, host=settings.host, port=settings.port):
            link = await first_link(house.context(operator()))
            if link is not None:
                hint(f"First sign-in: http://{settings.host}:{settings.port}{link}  (works once, for 24 hours)")
            where = f"Lockstep is listening on http://{settings.host}:{settings.port}, data folder {settings.data}"
            await work_until_stopped(house, where, has_worker=has_worker)
