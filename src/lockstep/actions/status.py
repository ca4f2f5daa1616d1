"""How an application's provisioning stands: what it does now, what the last cycle did, what waits and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.postgres.pool import Connection
from lockstep.storage import cycles, dirty, jobs, links, operations
from lockstep.storage.cycles import Cycle
from lockstep.storage.jobs import JobRow


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job. *code* is Graph's: NotConfigured, NotRun, Active, Paused, Quarantine.

    *links* counts linked accounts by kind. *waiting* are due or leased objects, *escrowed* failed ones that are tried again later,
    *held* writes that wait for approval.
    """

    app: str
    display_name: str
    job: str
    code: str
    sentence: str
    running: Cycle | None
    last: Cycle | None
    links: Mapping[str, int]
    waiting: int
    escrowed: int
    held: int
    next_cycle_at: datetime | None
    steady_at: datetime | None
    quarantine: Mapping[str, Any] | None

    @property
    def progress(self) -> tuple[int, int, str]:
        """Objects done, objects in all, and the phase, of the running cycle."""
        if self.running is None:
            return 0, 0, ""
        return min(self.running.done, self.running.total), self.running.total, self.running.phase


async def show_status(context: Context, app: str) -> JobStatus:
    async with context.reading() as connection:
        return await _status(connection, await job_row(connection, app))


async def list_status(context: Context) -> list[JobStatus]:
    """All applications, by name."""
    async with context.reading() as connection:
        return [await _status(connection, row) for row in await jobs.read_jobs(connection)]


async def list_cycles(context: Context, app: str, *, limit: int = 20) -> list[Cycle]:
    """The newest cycles, newest first."""
    async with context.reading() as connection:
        row = await job_row(connection, app)
        return await cycles.latest_cycles(connection, row.id, limit=limit)


async def _status(connection: Connection, row: JobRow) -> JobStatus:
    latest = await cycles.latest_cycles(connection, row.id, limit=5)
    running = await cycles.running_cycle(connection, row.id)
    last = next((one for one in latest if one.ended_at is not None and one.kind != "onDemand"), None)
    backlog = await dirty.backlog(connection, row.id)
    code = _code(row)
    return JobStatus(
        app=row.app_name,
        display_name=row.app_display_name,
        job=row.id,
        code=code,
        sentence=_sentence(row, code, running, last, failing=backlog.escrowed),
        running=running,
        last=last,
        links=await links.count_links(connection, row.id),
        waiting=backlog.waiting,
        escrowed=backlog.escrowed,
        held=await operations.count_held(connection, row.id),
        next_cycle_at=row.next_cycle_at,
        steady_at=row.steady_at,
        quarantine=row.quarantine,
    )


def _code(row: JobRow) -> str:
    if row.quarantine is not None:
        return "Quarantine"
    if row.status == "off":
        return "Paused" if row.started else "NotConfigured"
    return "Active" if row.started else "NotRun"


def _sentence(row: JobRow, code: str, running: Cycle | None, last: Cycle | None, *, failing: int) -> str:
    if code == "Quarantine":
        error = (row.quarantine or {}).get("error", {})
        return f"In quarantine: {error.get('message', 'the application cannot be provisioned')}"
    if code == "Paused":
        return f"Paused by {row.paused_by or 'an administrator'}; nothing is sent until it is switched on."
    if code == "NotConfigured":
        return "Provisioning has not been switched on yet."
    if running is not None and running.total:
        return f"{running.kind.capitalize()} cycle: {min(running.done, running.total)} of {running.total} objects."
    if last is None:
        return "The first cycle has not ended yet."
    if failing:
        return f"In step, but for {failing} object{'s' if failing > 1 else ''} that failed and will be tried again."
    return "In step."
