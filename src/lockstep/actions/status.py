"""The state of an application's provisioning: its present activity, the result of the last cycle, and which objects wait and why."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.actions.permissions import Permission
from lockstep.engine.decisions.headline import Facts, Headline, headline
from lockstep.engine.decisions.kept import ENOUGH
from lockstep.errors import not_found
from lockstep.postgres.pool import Connection, pipeline
from lockstep.storage import application_sso, credentials, cycles, jobs, links, operations, target_state, unverified
from lockstep.storage.backlog import Backlog, backlogs
from lockstep.storage.cycles import Cycle as Cycle
from lockstep.storage.jobs import JobRow
from lockstep.storage.operations import UndecidedCounts
from lockstep.storage.target_state import TargetState
from lockstep.sync.cycle.judging import is_held
from lockstep.wording import counted

WORKER_SILENT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The state of one job. *code* is Microsoft Graph's: NotConfigured, NotRun, Active, Paused or Quarantine. *headline* is Lockstep's more
    detailed state.

    *is_on* is true while provisioning is switched on, even during a quarantine. *links* counts linked accounts by kind of object. *backlog*
    counts objects that wait, have failed, or are due at a later time. *held* counts writes that wait for approval. *rejected* counts writes
    that were rejected but are still planned. *maybe_created* counts the requests to create an account that got no response.

    *trouble* is set while the application gives no usable responses. It has the last response, and the seconds until the next attempt.
    """

    app: str
    display_name: str
    job: str
    code: str
    is_on: bool
    headline: Headline
    running: Cycle | None
    last: Cycle | None
    links: Mapping[str, int]
    backlog: Backlog
    held: int
    rejected: int
    maybe_created: int
    has_worker: bool
    next_cycle_at: datetime | None
    steady_at: datetime | None
    quarantine: Mapping[str, Any] | None
    trouble: Mapping[str, Any] | None
    not_kept: tuple[str, ...] = ()  # attributes that the application accepts but does not keep
    unverified_groups: int = 0  # groups whose members were written but are not shown by the application
    has_credentials: bool = False
    paused_at: datetime | None = None
    paused_by: str = ""

    @property
    def sentence(self) -> str:
        return self.headline.sentence

    @property
    def due_at(self) -> datetime | None:
        """The time at which provisioning continues automatically: the next attempt of a quarantine, otherwise the next cycle."""
        return datetime.fromisoformat(self.quarantine["nextAttempt"]) if self.quarantine else self.next_cycle_at

    @property
    def waiting(self) -> int:
        return self.backlog.waiting

    @property
    def escrowed(self) -> int:
        return self.backlog.escrowed

    @property
    def progress(self) -> tuple[int, int, str]:
        """Return the progress of the running cycle: objects done, objects in total, and the name of the phase."""
        if self.running is None:
            return 0, 0, ""
        return min(self.running.done, self.running.total), self.running.total, self.running.phase


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_status(context: Context, app: str) -> JobStatus:
    async with context.reading() as connection:
        return await status_of(connection, await job_row(connection, app))


@needs(Permission.APPLICATIONS_READ, filters=True)
async def list_status(context: Context) -> list[JobStatus]:
    """Return the status of every application that the caller may read, sorted by name."""
    async with context.reading() as connection:
        rows = await jobs.read_jobs(connection)
        visible = [row for row in rows if context.actor.may(Permission.APPLICATIONS_READ, row.app)]
        return await statuses_of(connection, visible)


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_cycles(context: Context, app: str, *, limit: int = 20, below: int = 0) -> list[Cycle]:
    """Return the newest cycles, newest first; with *below*, only cycles with a smaller number."""
    async with context.reading() as connection:
        row = await job_row(connection, app)
        return await cycles.latest_cycles(connection, row.id, limit=limit, below=below)


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_cycle(context: Context, app: str, number: int) -> Cycle:
    """Return one cycle of the application. Raises LockstepError if there is none with this number."""
    async with context.reading() as connection:
        row = await job_row(connection, app)
        found = await cycles.read_cycle(connection, number)
    if found is None or found.job != row.id:
        raise not_found(
            f"{row.app_display_name} has no cycle {number}", next_step=f"See: lockstep cycles {row.app_name}"
        )
    return found


@needs(Permission.APPLICATIONS_READ, filters=True)
async def find_cycle(context: Context, number: int) -> tuple[str, Cycle]:
    """Return the cycle with this number and the name of its application. Raises LockstepError if it does not exist or the
    caller may not see it.
    """
    async with context.reading() as connection:
        found = await cycles.read_cycle(connection, number)
        row = await jobs.read_job(connection, found.job) if found is not None else None
    if found is None or row is None or not context.actor.may(Permission.APPLICATIONS_READ, row.app):
        raise not_found(f"There is no cycle {number}", next_step="See: lockstep cycles APP")
    return row.app_name, found


async def statuses_of(connection: Connection, rows: Sequence[JobRow]) -> list[JobStatus]:
    """Return the status of each of *rows*. Runs the same number of SQL statements for many jobs as for one."""
    if not rows:
        return []
    ids = [row.id for row in rows]
    async with pipeline(connection):
        work = asyncio.gather(
            cycles.running_and_last(connection, ids),
            backlogs(connection, ids),
            operations.count_undecided(connection, ids),
            links.count_links(connection, ids),
            unverified.count_groups(connection, ids),
        )
        reach = asyncio.gather(
            target_state.read_states(connection, ids),
            credentials.with_secret(connection, [row.app for row in rows]),
            application_sso.signing_on(connection, [row.app for row in rows]),
            jobs.has_live_worker(connection, silent_seconds=WORKER_SILENT_SECONDS),
        )
        found = _Found(*await work, *await reach)
    return [_status(row, found) for row in rows]


async def status_of(connection: Connection, row: JobRow) -> JobStatus:
    """Return the status of the job *row*."""
    return (await statuses_of(connection, [row]))[0]


class _Found(NamedTuple):
    """The data that was read for all jobs at once. The mappings have the ids of jobs as keys. *with_secret* and *signing_on* contain ids of
    applications.
    """

    cycles: Mapping[str, tuple[Cycle | None, Cycle | None]]
    backlogs: Mapping[str, Backlog]
    undecided: Mapping[str, UndecidedCounts]
    links: Mapping[str, Mapping[str, int]]
    unverified: Mapping[str, int]
    states: Mapping[str, TargetState]
    with_secret: frozenset[str]
    signing_on: frozenset[str]
    has_worker: bool


def _status(row: JobRow, found: _Found) -> JobStatus:
    running, last = found.cycles[row.id]
    backlog, open_writes, state = found.backlogs[row.id], found.undecided[row.id], found.states[row.id]
    has_worker = backlog.leased > 0 or found.has_worker
    facts = Facts(
        row.app_name,
        is_on=row.is_on,
        is_started=row.started,
        paused_by=row.paused_by or "",
        has_worker=has_worker,
        held=open_writes.held,
        rejected=open_writes.rejected,
        maybe_created=open_writes.maybe_created,
        failing=backlog.escrowed,
        leavers_failing=backlog.leavers,
        waiting=backlog.waiting,
        slowed=backlog.slowed,
        cycle=running.kind if running is not None else "",
        preview=running.preview if running is not None else None,
        done=running.done if running is not None else 0,
        total=running.total if running is not None else 0,
        had_cycle=last is not None,
        signs_on=row.app in found.signing_on and row.app not in found.with_secret,
    )
    return JobStatus(
        app=row.app_name,
        display_name=row.app_display_name,
        job=row.id,
        code=_code(row),
        is_on=row.is_on,
        headline=headline(_with_health(facts, row, state, datetime.now(UTC))),
        running=running,
        last=last,
        links=found.links[row.id],
        backlog=backlog,
        held=open_writes.held,
        rejected=open_writes.rejected,
        maybe_created=open_writes.maybe_created,
        has_worker=has_worker,
        next_cycle_at=row.next_cycle_at,
        steady_at=row.steady_at,
        quarantine=row.quarantine,
        trouble=_trouble(state),
        has_credentials=row.app in found.with_secret,
        unverified_groups=found.unverified.get(row.id, 0),
        paused_at=row.paused_at if row.started else None,
        paused_by=(row.paused_by or "") if row.started else "",
        not_kept=tuple(str(one["path"]) for one in row.unkept if one["answers"] >= ENOUGH),
    )


def _code(row: JobRow) -> str:
    if row.quarantine is not None:
        return "Quarantine"
    if row.status == "off":
        return "Paused" if row.started else "NotConfigured"
    return "Active" if row.started else "NotRun"


def _trouble(state: TargetState) -> Mapping[str, Any] | None:
    if state.trouble is None:
        return None
    return {**state.trouble, "secondsToWait": math.ceil(state.seconds_to_wait)}


def _with_health(facts: Facts, row: JobRow, state: TargetState, now: datetime) -> Facts:
    if row.quarantine is not None:
        error = row.quarantine.get("error") or {}
        left = datetime.fromisoformat(row.quarantine["nextAttempt"]) - now
        return replace(
            facts,
            quarantine=str(error.get("message") or "the application cannot be provisioned"),
            quarantine_holds_all=is_held(row.quarantine),
            remedy=str(error.get("nextStep") or ""),
            next_attempt=_ahead(left.total_seconds()),
        )
    if state.trouble is not None:
        so_far = now - datetime.fromisoformat(state.trouble["since"])
        return replace(
            facts,
            trouble=str(state.trouble.get("message") or "The application does not respond"),
            trouble_for=about(so_far.total_seconds()),
            remedy=str(state.trouble.get("nextStep") or ""),
            next_attempt=_ahead(state.seconds_to_wait),
        )
    return facts


def _ahead(seconds: float) -> str:
    return "now" if seconds <= 0 else f"in {about(seconds)}"


def about(seconds: float) -> str:
    """Return a duration in everyday words: "less than a minute", "5 minutes", "3 hours"."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 0.99 * length:
            return counted(round(seconds / length), unit)
    return "less than a minute"
