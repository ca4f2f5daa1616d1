"""Put the house together: the only module that knows concrete classes.

Everything that is opened here is closed here, in the opposite order; the database goes last.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from lockstep.actions import sources as source_actions
from lockstep.actions.context import Actor, Context
from lockstep.directory.intake import IntakeOptions
from lockstep.directory.lifecycle import purge_due
from lockstep.engine.template import Template
from lockstep.gallery.loader import load_gallery
from lockstep.postgres.embedded import Options
from lockstep.postgres.migrate import migrate
from lockstep.postgres.pool import open_pool
from lockstep.postgres.server import Server, running
from lockstep.settings import Settings
from lockstep.sources.registry import open_source
from lockstep.sync.drive import Drive, open_drive
from lockstep.sync.services import Services, Times
from lockstep.sync.tasks import run_worker
from lockstep.targets.opener import ScimTargets
from lockstep.vault import open_vault

MIGRATIONS = "lockstep.storage.migrations"
Say = Callable[[str], None]


@dataclass(frozen=True)
class House:
    """Everything that a command works with, open."""

    settings: Settings
    server: Server
    context: Context
    drive: Drive
    targets: ScimTargets

    def services(self) -> Services:
        """Services for a worker of this process."""
        gallery = self.context.gallery

        def template_of(name: str) -> Template | None:
            return gallery.template(name) if name in gallery.names() else None

        return Services(
            pool=self.context.pool,
            vault=self.context.vault,
            opener=self.targets,
            wake=self.drive.wake,
            times=Times(cycle_interval=self.settings.cycle_interval),
            template_of=template_of,
        )

    async def work(self, services: Services, *, ready: asyncio.Event | None = None) -> None:
        """Run a worker in this process until `services.stopping` is set."""
        system = replace(self.context, actor=Actor("system"))

        async def import_source(name: str, **options: Any) -> None:
            await source_actions.import_source(system, name, options=IntakeOptions(**options) if options else None)

        async def purge() -> None:
            _, touched = await purge_due(system.pool, system.now(), after=self.settings.purge_after)
            await system.after_commit(touched)

        await run_worker(
            services,
            import_source=import_source,
            housekeeping=(purge,),
            concurrency=self.settings.worker_concurrency,
            ready=ready,
        )


@asynccontextmanager
async def open_house(settings: Settings, *, main: bool, say: Say, actor: str | None = None) -> AsyncIterator[House]:
    """Reach the database (start it where nobody has), bring its tables up to date, and wire the rooms.

    *main* makes this process the only `up` or `serve` of the data folder. Raises LockstepError.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            running(
                settings.data,
                main=main,
                say=say,
                urls=settings.database_urls,
                options=Options(user=settings.postgres_user),
            )
        )
        database = server.database("lockstep")
        await migrate(database, MIGRATIONS, say=say)
        pool = await open_pool(database, min_size=1, max_size=settings.pool_size, name="lockstep")
        stack.push_async_callback(pool.close)
        vault = open_vault(settings.data, key=settings.key, older_key=settings.older_key)
        targets = ScimTargets(settings.outbound_allow)
        stack.push_async_callback(targets.close)
        drive = await open_drive(pool)
        context = Context(
            pool=pool,
            actor=Actor(actor or person_at_the_terminal()),
            vault=vault,
            gallery=load_gallery(),
            open_source=open_source,
            opener=targets,
            after_commit=drive.wake,
            say=say,
            purge_after=settings.purge_after,
        )
        yield House(settings, server, context, drive, targets)


def person_at_the_terminal() -> str:
    """Who the audit log names for a command: the person behind sudo, else the user of this system."""
    try:
        return f"{os.environ.get('SUDO_USER') or getpass.getuser()} (command line)"
    except (KeyError, OSError):  # a container may run under an id without a name
        return f"uid {os.getuid()} (command line)"
