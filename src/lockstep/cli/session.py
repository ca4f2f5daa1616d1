"""The resources of a command: settings, database, vault and a context, for the duration of the command.

A command uses the PostgreSQL that is already running. If none is running, the command starts the embedded one for its own duration. The
servers, such as `lockstep serve`, open their database themselves.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TypeVar

import click

from lockstep.actions.context import Actor, Context, Progress
from lockstep.actions.health import left_undone
from lockstep.cli import Globals
from lockstep.cli.events import events_on_stderr
from lockstep.cli.output import hint
from lockstep.cli.progress import ProgressLine
from lockstep.cli.remote.contexts import ServerContext, chosen_server
from lockstep.errors import not_found
from lockstep.postgres.places import read_record
from lockstep.settings import Settings, load_settings
from lockstep.wiring import House, open_house

Result = TypeVar("Result")


def globals_of(ctx: click.Context | None = None) -> Globals:
    """Return the options given before the command, or defaults if the command is run on its own."""
    found = (ctx or click.get_current_context()).find_root().obj
    return found if isinstance(found, Globals) else Globals()


def settings_of(ctx: click.Context | None = None) -> Settings:
    """Return the settings of this command: options, environment, defaults."""
    flags = globals_of(ctx)
    return load_settings(os.environ, {"data": flags.data, "context": flags.context})


def run(work: Callable[[Context], Awaitable[Result]], *, label: str = "", creates: bool = False) -> Result:
    """Do *work* with a context, on this machine or on the server in use. *label* is shown with the progress.

    *creates* is true if the command may be the first one in a data folder.
    """
    settings, flags = settings_of(), globals_of()
    server = chosen_server(settings)
    if server is not None:
        return asyncio.run(_run_there(server, work, label=label if flags.shows_progress else ""))

    async def all_of_it() -> Result:
        touched: set[str] = set()
        async with session(settings, creates=creates) as (_, context):

            async def remember(jobs: Collection[str]) -> None:
                touched.update(jobs)
                await context.after_commit(jobs)

            with _shown(label if flags.shows_progress else "") as show:
                answer = await work(replace(context, on_progress=show, after_commit=remember))
            await _tell_of_missing_worker(context, touched)
            return answer

    with events_on_stderr(settings):
        return asyncio.run(all_of_it())


@contextmanager
def _shown(label: str) -> Iterator[Callable[[Progress], None]]:
    """Yield a function that shows progress as *label*; "" shows none."""
    with ProgressLine(label, is_on=bool(label)) as line:

        def show(progress: Progress) -> None:
            line.show(progress.read, fraction=progress.fraction, label=f"{label} {progress.kind}")

        yield show


async def _run_there(server: ServerContext, work: Callable[[Context], Awaitable[Result]], *, label: str) -> Result:
    from lockstep.cli.remote.server import connected  # imported late: most commands work with the data folder

    async with connected(server) as connection:
        with _shown(label) as show:
            answer = await work(replace(connection.context(say=hint), on_progress=show))
        _tell_of_undone(connection.undone)
        return answer


async def _tell_of_missing_worker(context: Context, touched: Collection[str]) -> None:
    """Warn if the command changed something that a worker must process, and no worker is running."""
    _tell_of_undone(await left_undone(context, touched) if touched else [])


def _tell_of_undone(names: Sequence[str]) -> None:
    if names:
        hint(
            f"No worker is running, so nothing is sent to {', '.join(names)} yet. Start one: lockstep serve. "
            f"Or process it here: lockstep run {names[0]} --wait"
        )


def served_at() -> str:
    """Return the origin of the admin centre: the server in use, or the address where `lockstep serve` listens."""
    settings = settings_of()
    server = chosen_server(settings)
    return server.url.rstrip("/") if server is not None else f"http://{settings.host}:{settings.port}"


@asynccontextmanager
async def session(settings: Settings, *, creates: bool = False) -> AsyncIterator[tuple[House, Context]]:
    """Open the database and everything else that one command needs, with a context for the person who runs it."""
    if not creates:
        require_data(settings)
    async with open_house(settings, main=False, say=hint, upgrades=False) as house:
        yield house, house.context(operator(), say=hint)


def has_data(settings: Settings) -> bool:
    """Return whether there is a database: either the settings name one by a URL, or the data folder contains one."""
    if "lockstep" in settings.database_urls:
        return True
    record = read_record(settings.data.expanduser().resolve())
    return record is not None and "lockstep" in record.databases


def require_data(settings: Settings) -> None:
    """Raise LockstepError for a folder without data. Without this check, a command in the wrong folder would suggest that all data is
    lost.
    """
    if not has_data(settings):
        raise not_found(
            f"There is no Lockstep data in {settings.data}",
            next_step="Name its folder with --data FOLDER, or start with: lockstep up, lockstep serve, or lockstep sources import FILE",
        )


def operator() -> Actor:
    """Return the person who runs the command. Anyone who can read the data folder and its key may do everything."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Actor(f"{name} (command line)", is_operator=True)
