"""The checks of `lockstep doctor`, for example of the database, of the worker and of each application.

An application whose connection was never tested gives a warning. An application whose last test failed gives an error.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lockstep.actions.access import needs
from lockstep.actions.applications import list_applications
from lockstep.actions.context import Context, audit
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on.certificates import expiring_certificates
from lockstep.actions.single_sign_on.keys import opened_key
from lockstep.actions.status import WORKER_SILENT_SECONDS, JobStatus, statuses_of
from lockstep.engine.decisions.headline import Standing
from lockstep.errors import LockstepError
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, credentials, instance, jobs, made_accounts, signing_certificates, sources
from lockstep.storage.credentials import CredentialRow
from lockstep.storage.jobs import JobRow
from lockstep.storage.made_accounts import MadeAccount
from lockstep.sync.connections import TOKEN
from lockstep.wording import counted

_FAILS = frozenset({Standing.STOPPED, Standing.SLOWED, Standing.NO_ANSWER})
_OLDEST_POSTGRES = 150_000


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One line that `lockstep doctor` prints. *remedy* says what to do; it is "" if nothing is wrong."""

    name: str
    level: Level
    text: str
    remedy: str = ""


@needs(Permission.APPLICATIONS_READ, filters=True)
async def left_undone(context: Context, touched: Collection[str]) -> list[str]:
    """If no worker is running, return the names of the applications whose jobs are in *touched* and have work to do. Returns nothing while
    a worker runs.
    """
    async with context.reading() as connection:
        if await jobs.has_live_worker(connection, silent_seconds=WORKER_SILENT_SECONDS):
            return []
        names = await jobs.applications_with_work(connection, touched)
    visible = {one.name for one in await list_applications(context)}
    return [name for name in names if name in visible]


@needs(Permission.APPLICATIONS_READ)
async def sealed(context: Context) -> list[HealthFinding]:
    """Check that the vault's key decrypts the stored tokens and signing keys. Returns one finding for each secret that the key cannot
    decrypt. If the key decrypts all of them, returns a single finding that says so, or none if nothing is stored.
    """
    async with context.reading() as connection:
        stored = await credentials.sealed_secrets(connection)
        failed, is_sealed = await _unreadable_keys(context, connection)
    for name, app, envelope in stored:
        try:
            context.vault.open(envelope, purpose=TOKEN, name=app, shown=name)
        except LockstepError as shut:
            failed.append(HealthFinding("secrets", Level.FAIL, f"{shut.detail}. {shut.why}", shut.next_step))
    if (stored or is_sealed) and not failed:
        return [HealthFinding("secrets", Level.OK, "the key decrypts every stored token and signing key")]
    return failed


async def _unreadable_keys(context: Context, connection: Connection) -> tuple[list[HealthFinding], bool]:
    """Return two values: a finding for each signing key that the vault's key cannot decrypt, and whether any signing keys are stored."""
    apps = {one.id: one for one in await applications.list_applications(connection)}
    stored = await signing_certificates.sealed_keys(connection)
    failed = []
    for app, thumbprint, envelope in stored:
        try:
            opened_key(context, apps[app], thumbprint, envelope)
        except LockstepError as shut:
            failed.append(HealthFinding("secrets", Level.FAIL, f"{shut.detail}. {shut.why}", shut.next_step))
    return failed, bool(stored)


@needs(Permission.APPLICATIONS_READ)
async def examine(context: Context) -> list[HealthFinding]:
    """Check the database, the worker, every application, the last reads of the sources, and the signing certificates that expire soon."""
    async with context.reading() as connection:
        found = [*await _database(connection), await _worker(connection)]
        rows = await jobs.read_jobs(connection)
        stored = await credentials.read_credentials(connection, [row.app for row in rows])
        made: dict[str, list[MadeAccount]] = {}
        for one in await made_accounts.unclaimed(connection, [row.id for row in rows]):
            made.setdefault(one.job, []).append(one)
        for row, status in zip(rows, await statuses_of(connection, rows), strict=True):
            found.append(_application(row, status, stored.get(row.app)))
            found += _unclaimed(row, made.get(row.id, []))
        found += await _failing_sources(connection)
    for ending in await expiring_certificates(context):
        level = Level.FAIL if ending.is_urgent else Level.WARN
        found.append(HealthFinding(f"sign-on of {ending.app_name}", level, ending.sentence, ending.next_step))
    return found


@needs(Permission.DIRECTORY_READ)
async def failing_sources(context: Context) -> list[HealthFinding]:
    """Return a finding for each source whose last read failed. Lockstep does not know who joined or left since the last successful read."""
    async with context.reading() as connection:
        return await _failing_sources(connection)


async def _failing_sources(connection: Connection) -> list[HealthFinding]:
    return [
        HealthFinding(
            f"source {one.name}",
            Level.WARN,
            f"the last import failed: {failure}",
            f"Correct the cause, then run: lockstep sources import {one.name}",
        )
        for one in await sources.list_sources(connection)
        if (failure := (one.watermark or {}).get("failure"))
    ]


def _unclaimed(row: JobRow, made: Sequence[MadeAccount]) -> list[HealthFinding]:
    """Return a finding if Lockstep created, or may have created, accounts that have no link."""
    if not made:
        return []
    names = sorted({one.display for one in made})
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [
        HealthFinding(
            f"app {row.app_name}", Level.WARN,
            f"{counted(len(made), 'account')} may have been created without a link, for {shown}",
            f"See which exist: lockstep links {row.app_name} --orphans. "
            f"Link or disable them: lockstep links {row.app_name} --orphans --settle",
        )
    ]  # fmt: skip


async def _database(connection: Connection) -> list[HealthFinding]:
    server = await instance.read_server(connection)
    version = server.version
    if server.number < _OLDEST_POSTGRES:
        return [
            HealthFinding(
                "PostgreSQL", Level.FAIL, f"PostgreSQL {version} is too old", "Upgrade to PostgreSQL 15 or newer"
            )
        ]
    if server.is_in_recovery:
        return [
            HealthFinding("PostgreSQL", Level.FAIL, f"PostgreSQL {version} is in recovery and therefore read-only",
                    "Wait for the recovery, or point DATABASE_URL to the primary server")
        ]  # fmt: skip
    return [HealthFinding("PostgreSQL", Level.OK, f"PostgreSQL {version} answers")]


async def _worker(connection: Connection) -> HealthFinding:
    if await jobs.has_live_worker(connection, silent_seconds=WORKER_SILENT_SECONDS):
        return HealthFinding("worker", Level.OK, f"a worker was active in the last {WORKER_SILENT_SECONDS:.0f} s")
    waiting = await jobs.count_waiting_leavers(connection)
    text = "no worker is running, so nothing is provisioned"
    if not waiting:
        return HealthFinding("worker", Level.WARN, text, "Start one: lockstep serve")
    verb = "waits" if waiting == 1 else "wait"
    remedy = "Start one: lockstep serve. Or process it now: lockstep run APP --wait"
    return HealthFinding("worker", Level.FAIL, f"{text}; {counted(waiting, 'object')} {verb} to lose access", remedy)


def _application(row: JobRow, status: JobStatus, credential: CredentialRow | None) -> HealthFinding:
    name = f"app {row.app_name}"
    if credential is None or not credential.has_secret:
        remedy = f"Set them: lockstep creds set {row.app_name} --tenant-url URL --token-stdin"
        return HealthFinding(name, Level.FAIL if row.status == "on" else Level.WARN, "has no credentials", remedy)
    stands = status.headline
    if stands.standing in _FAILS:
        return HealthFinding(name, Level.FAIL, stands.sentence, stands.next_step)
    test = f"lockstep creds test {row.app_name}"
    if credential.test_result is None:
        return HealthFinding(
            name, Level.WARN, "the connection has not been tested since the credentials were set", f"Test it: {test}"
        )
    tried = [one for one in credential.test_result.get("probes", []) if one.get("tried", True)]
    failed = next((one for one in tried if not one.get("passed")), None)
    if failed is not None:
        remedy = f"{failed.get('remedy') or 'Correct it'}; then: {test}"
        return HealthFinding(name, Level.FAIL, f"the last connection test failed: {failed.get('sentence', '')}", remedy)
    if stands.exit_code and row.status == "on" and stands.standing is not Standing.NO_WORKER:
        return HealthFinding(name, Level.WARN, stands.sentence, stands.next_step)
    state = "on" if row.is_on else "off"
    return HealthFinding(
        name, Level.OK, f"connection tested, {len(tried)} of {len(tried)} passed; provisioning is {state}"
    )


@needs(Permission.ORGANISATION_WRITE)
async def forget_unreadable(context: Context) -> list[str]:
    """Delete the tokens that the vault's key cannot decrypt. Returns the names of their applications."""
    forgotten = []
    async with context.changing() as edit:
        for name, app, envelope in await credentials.sealed_secrets(edit.connection):
            try:
                context.vault.open(envelope, purpose=TOKEN, name=app, shown=name)
            except LockstepError:
                await credentials.forget_secret(edit.connection, app)
                await audit(edit, "Delete a token that cannot be decrypted", name)
                forgotten.append(name)
    return forgotten
