"""Assemble a process from its settings. Only this module knows the concrete classes.

Everything opened here is closed here in reverse order, the database last.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool
import structlog

from lockstep.actions import retention
from lockstep.actions import sources as source_actions
from lockstep.actions.context import Actor, Context
from lockstep.actions.forecasts import Forecasts
from lockstep.actions.jobs import new_services
from lockstep.directory.dynamic_groups import refresh_due
from lockstep.directory.intake import IntakeOptions, Progress
from lockstep.directory.lifecycle import purge_due
from lockstep.errors import LockstepError, conflict, invalid
from lockstep.gallery.loader import Gallery, load_gallery
from lockstep.oidc.discovered import DiscoveredProviders
from lockstep.ports import Observer, unobserved
from lockstep.postgres.embedded import Options, Say
from lockstep.postgres.migrate import migrate
from lockstep.postgres.pool import Connection, Pool, open_pool
from lockstep.postgres.server import Server, running, start_or_attach
from lockstep.settings import Settings
from lockstep.sources.registry import inspect_file, open_source
from lockstep.storage.credentials import sealed_secrets
from lockstep.storage.mail_server import has_password
from lockstep.storage.openid_keys import read_keys
from lockstep.storage.outbound_places import list_places
from lockstep.storage.signing_certificates import sealed_keys
from lockstep.storage.webhook import read_webhook
from lockstep.sync.compiled import CompiledConfigurations
from lockstep.sync.drive import Drive
from lockstep.sync.services import Services as Services
from lockstep.sync.services import Times
from lockstep.targets.opener import ScimTargets
from lockstep.vault import NEXT_KEY, Vault, open_vault, open_vault_for_new_key, throwaway_vault

MIGRATIONS = "lockstep.storage.migrations"
OWN_APPLICATION = "documo.json"  # file in the data folder while `up` runs: the origin of its Documo
KEY_CHANGE = "lockstep key rotate"  # shown in pg_stat_activity
UNFINISHED_RESTORE = "restore-unfinished"  # file in the data folder while a restore runs, and after an interrupted one
OUTBOUND_SECONDS = 2.0  # delay until a change of the outbound list applies in every process
MAIL_SECONDS = 1.0  # interval for checking which messages are due
DIGEST_SECONDS = 2.0  # interval for checking which daily digests are due
PREVIEW_SECONDS = 0.5  # interval for checking whether a preview was asked for
LOGOUT_SECONDS = 0.5  # interval for checking which applications must be told that a person has signed out


def quietly(_: str) -> None:
    """Discard messages."""


def _unseen(_: Progress) -> None:
    """Discard progress."""


@dataclass(frozen=True, slots=True)
class House:
    """The resources that the parts of one process share."""

    settings: Settings
    server: Server
    pool: Pool
    vault: Vault
    gallery: Gallery
    targets: ScimTargets
    drive: Drive
    configurations: CompiledConfigurations = field(default_factory=CompiledConfigurations)
    providers: DiscoveredProviders = field(default_factory=DiscoveredProviders)
    forecasts: Forecasts = field(default_factory=Forecasts)

    def context(
        self, actor: Actor, *, say: Say = quietly, on_progress: Callable[[Progress], None] = _unseen
    ) -> Context:
        """Create the context in which actions run for *actor*."""
        return Context(
            pool=self.pool,
            actor=actor,
            vault=self.vault,
            gallery=self.gallery,
            open_source=open_source,
            inspect_file=inspect_file,
            opener=self.targets,
            configurations=self.configurations,
            http=lambda: self.targets.client,
            providers=self.providers,
            forecasts=self.forecasts,
            after_commit=self.drive.wake,
            say=say,
            on_progress=on_progress,
            purge_after=self.settings.purge_after,
            sources_folder=self.settings.sources_folder,
        )

    def services(self) -> Services:
        """Create the services for a worker of this process."""
        services = new_services(self.context(Actor("system")))
        services.times = Times(cycle_interval=self.settings.cycle_interval)
        return services

    async def work(self, services: Services, *, ready: asyncio.Event | None = None) -> None:
        """Run a worker in this process until `services.stopping` is set."""
        from lockstep.actions.digests import write_due_digests
        from lockstep.actions.job_previews import make_due_preview
        from lockstep.actions.openid_sign_in.back_channel import tell_due
        from lockstep.actions.outgoing_mail import send_due_mail
        from lockstep.actions.single_sign_on.reminders import remind_of_certificates
        from lockstep.sync.worker.worker import run_worker  # most commands run no worker

        system = self.context(Actor("system"))
        log = structlog.get_logger()

        async def import_source(name: str, **options: Any) -> None:
            try:
                await source_actions.import_source(system, name, options=IntakeOptions(**options) if options else None)
            except LockstepError as refused:  # recorded with the source, which is read again after its interval
                log.warning("source_not_read", source=name, reason=refused.detail)

        async def follow_rules() -> None:
            await self.drive.wake(await refresh_due(self.pool, system.now()))

        async def purge() -> None:
            _, touched = await purge_due(self.pool, system.now(), after=self.settings.purge_after)
            await self.drive.wake(touched)

        async def forget() -> None:
            await retention.remove_old(system)

        async def remind() -> None:
            await remind_of_certificates(system)

        following = [
            asyncio.create_task(self._follow_outbound_list(), name="outbound list"),
            asyncio.create_task(self._repeat(tell_due, pause_seconds=LOGOUT_SECONDS), name="back-channel logout"),
            asyncio.create_task(self._repeat(send_due_mail, pause_seconds=MAIL_SECONDS), name="mail"),
            asyncio.create_task(self._repeat(write_due_digests, pause_seconds=DIGEST_SECONDS), name="digests"),
            asyncio.create_task(self._repeat(make_due_preview, pause_seconds=PREVIEW_SECONDS), name="previews"),
        ]
        try:
            await run_worker(
                services,
                import_source=import_source,
                housekeeping=(purge, follow_rules, forget, remind),
                concurrency=self.settings.worker_concurrency,
                ready=ready,
            )
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)

    async def _follow_outbound_list(self) -> None:
        """Apply changes of the outbound list until cancelled. While the database is unreachable, the last list stays in force."""
        while True:
            await asyncio.sleep(OUTBOUND_SECONDS)
            with suppress(psycopg.Error, psycopg_pool.PoolTimeout):
                await allow_outbound(self.pool, self.targets)

    async def _repeat(self, work: Callable[[Context], Awaitable[object]], *, pause_seconds: float) -> None:
        """Call *work* until cancelled. After a call that failed or found nothing due, wait *pause_seconds*.

        A failed call loses nothing, because due work stays in the database.
        """
        system = self.context(Actor("system"))
        while True:
            try:
                if await work(system):
                    continue
            except (psycopg.Error, psycopg_pool.PoolTimeout):
                pass  # the database is unreachable, which others report
            except Exception:
                structlog.get_logger().exception("background_work_failed", work=getattr(work, "__name__", ""))
            await asyncio.sleep(pause_seconds)


@asynccontextmanager
async def open_house(
    settings: Settings,
    *,
    main: bool,
    say: Say = quietly,
    upgrades: bool = True,
    needs_key: bool = True,
    restores: bool = False,
    replaces_key: bool = False,
    observer: Observer = unobserved,
) -> AsyncIterator[House]:
    """Connect to the database (starting our own PostgreSQL if no other is configured), migrate it, and open everything else.

    *main* is true for `up` and `serve`; only one such process may use a data folder. *observer* receives a report of every request to an
    application. If *upgrades* is false, an older database is refused. If no secrets are stored, a missing key is created. If secrets are
    stored and *needs_key* is true, a missing key is an error; if *needs_key* is false, no key is read, and the vault cannot open the
    secrets. *restores* must be true to open a folder with an unfinished restore, because applications may still be switched on.
    *replaces_key* must be true during a key replacement; the vault then seals with the new key and opens with both. Raises LockstepError.
    """
    if not restores:
        _refuse_unfinished_restore(settings.data)
    if not replaces_key:
        _refuse_unfinished_key(settings)
    options = Options(user=settings.postgres_user)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            running(start_or_attach(settings.data, main=main, say=say, urls=settings.database_urls, options=options))
        )
        database = server.database("lockstep")
        if main:
            _make_sources_folder(settings.sources_folder)
        await migrate(database, MIGRATIONS, say=say, upgrade_with="" if upgrades else "lockstep migrate")
        pool = await open_pool(database, max_size=settings.pool_size, name=KEY_CHANGE if replaces_key else "lockstep")
        stack.push_async_callback(pool.close)
        if not replaces_key:
            # Check again: from here on, a key replacement notices this connection and refuses to start.
            _refuse_unfinished_key(settings)
        async with pool.connection() as connection:
            sealed = await _count_sealed(connection)
        vault = (
            open_vault_for_new_key(settings.data, older_key=settings.older_key)
            if replaces_key and settings.key is None
            else open_vault(settings.data, key=settings.key, older_key=settings.older_key, sealed=sealed)
            if needs_key or not sealed
            else throwaway_vault()
        )
        targets = ScimTargets((*settings.outbound_allow, *own_application(settings.data)), observer=observer)
        stack.push_async_callback(targets.close)
        await allow_outbound(pool, targets)
        yield House(settings, server, pool, vault, load_gallery(), targets, Drive(pool=pool))


async def _count_sealed(connection: Connection) -> int:
    return (
        len(await sealed_secrets(connection))
        + len(await sealed_keys(connection))
        + len(await read_keys(connection))
        + await has_password(connection)
        + (await read_webhook(connection) is not None)
    )


def _make_sources_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as refused:
        raise invalid(
            f"The folder for sources' files, {folder}, cannot be created: {refused.strerror}",
            next_step="Create it, or name another one: LOCKSTEP_SOURCES",
        ) from None


async def allow_outbound(pool: Pool, targets: ScimTargets) -> None:
    """Allow connections to the addresses listed in the database, in addition to those of the process."""
    async with pool.connection() as connection:
        places = await list_places(connection)
    targets.allow(one.entry for one in places)


def _refuse_unfinished_restore(data: Path) -> None:
    if (data / UNFINISHED_RESTORE).exists():
        raise conflict(
            f"A restore into {data} did not finish, so its data is not used",
            next_step="Restore again: lockstep restore FILE",
        )


def _refuse_unfinished_key(settings: Settings) -> None:
    if settings.key is None and (settings.data / NEXT_KEY).exists():
        raise conflict(
            "The encryption key is being replaced, or a replacement was interrupted",
            next_step="Finish it: lockstep key rotate",
        )


def own_application(data: Path) -> tuple[str, ...]:
    """Return the origin of the Documo service that `up` runs with this data folder; commands may connect to this origin too. Returns () if
    `up` runs no Documo, or if the folder is a copy.
    """
    try:
        content = json.loads((data / OWN_APPLICATION).read_text())
        return (str(content["origin"]),) if content["dataFolder"] == os.path.realpath(data) else ()
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def noted_application(data: Path, origin: str) -> str:
    """Return the content of the file that `own_application` reads: the *origin* of Documo, and the data folder of `up`."""
    return json.dumps({"origin": origin, "dataFolder": os.path.realpath(data)})
