"""How a command gets to work: settings, database, vault and a context, for as long as the command runs.

Every command but the servers attaches to the PostgreSQL that runs already, or starts it for its own duration.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import click

from lockstep.actions.context import Actor, Context
from lockstep.cli import Globals
from lockstep.cli.events import events_on_stderr
from lockstep.cli.output import hint
from lockstep.cli.progress import ProgressLine
from lockstep.directory.intake import Progress
from lockstep.settings import Settings, load_settings
from lockstep.wiring import House, open_house

Answer = TypeVar("Answer")


def globals_of(ctx: click.Context | None = None) -> Globals:
    """The flags before the command; the defaults where a command is run on its own."""
    found = (ctx or click.get_current_context()).find_root().obj
    return found if isinstance(found, Globals) else Globals()


def settings_of(ctx: click.Context | None = None) -> Settings:
    """The settings of this command: flags, environment, defaults."""
    return load_settings(os.environ, {"data": globals_of(ctx).data})


def run(work: Callable[[Context], Awaitable[Answer]], *, label: str = "") -> Answer:
    """Do *work* with a context; *label* names what its progress shows."""
    settings, flags = settings_of(), globals_of()

    async def all_of_it() -> Answer:
        async with session(settings) as (_, context):
            with ProgressLine(label, is_on=bool(label) and flags.shows_progress) as line:

                def show(progress: Progress) -> None:
                    line.show(progress.read, fraction=progress.fraction, label=f"{label} {progress.kind}")

                return await work(replace(context, on_progress=show))

    with events_on_stderr(settings):
        return asyncio.run(all_of_it())


@asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[tuple[House, Context]]:
    """The house for the length of one command, and a context for who runs it."""
    async with open_house(settings, main=False, say=hint) as house:
        yield house, house.context(operator(), say=hint)


def operator() -> Actor:
    """Whoever runs the command: who can read the data folder and its key may do everything."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Actor(f"{name} (command line)")
