"""Judge a job's health when a cycle ends: if too many of its objects fail, slow the job down.

A quarantine for failure counts delays writes that give or change accounts. People who must lose access lose it without delay. The
quarantine ends when few enough objects fail; to find that out, some of the failed objects are tried at growing intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lockstep.engine.decisions.quarantine import Health, QuarantineReason, decide_quarantine, holds_everything
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import Connection
from lockstep.storage import dirty_marks, failing, jobs
from lockstep.storage.cycles import Cycle
from lockstep.storage.failing import FailureCounts
from lockstep.sync import application_health
from lockstep.sync.services import Job, Services
from lockstep.wording import counted

SAMPLE = 10  # failed objects that each attempt of a quarantine tries
FEWEST = 4  # with fewer failures no job is quarantined, so nothing else needs to be counted
WORKED = ("created", "updated", "enabled", "disabled", "deleted", "linked", "unchanged", "released")


def is_held(quarantine: Mapping[str, Any] | None) -> bool:
    """Whether a quarantine blocks everything, leavers included."""
    return quarantine is not None and holds_everything(QuarantineReason(quarantine["reason"]))


def is_attempt_due(quarantine: Mapping[str, Any] | None, now: datetime) -> bool:
    """Whether the next attempt is due at *now*, by the clock of the database."""
    attempt = (quarantine or {}).get("nextAttempt")
    return not attempt or datetime.fromisoformat(str(attempt)) <= now


def slowed_until(quarantine: Mapping[str, Any] | None, now: datetime) -> datetime | None:
    """Return the time until which only leavers and on-demand runs are processed, because of a quarantine for failure counts. Returns None
    if there is no such quarantine.
    """
    if quarantine is None or is_held(quarantine) or is_attempt_due(quarantine, now):
        return None
    return datetime.fromisoformat(str(quarantine["nextAttempt"]))


async def judge(connection: Connection, services: Services, job: Job, ended: Cycle) -> bool:
    """Begin, prolong or end a quarantine after a cycle. Returns True if postponed or failed objects may have become due."""
    await jobs.lock_job(connection, job.id)
    row = await jobs.read_job(connection, job.id)
    before = row.quarantine if row is not None else None
    if is_held(before):
        return False  # only a response from the application ends such a quarantine
    found = await failing.count_failing(connection, job.id)
    reason = await _reason(connection, job, found)
    if reason is None:
        if before is None:
            return False
        await application_health.end_quarantine(connection, job)
        await dirty_marks.make_slowed_due(connection, job.id)
        if _mostly_worked(ended.counts):
            await dirty_marks.make_some_failed_due(connection, job.id)
        return True
    if before is not None and not is_attempt_due(before, services.now()):
        await jobs.set_next_cycle_at(connection, job.id, datetime.fromisoformat(before["nextAttempt"]))
        return False
    if before is not None and before.get("trial") != "all" and _mostly_worked(ended.counts):
        # The cause may be gone, so retry all failed objects.
        await jobs.set_quarantine(connection, job.id, {**before, "trial": "all"})
        return await dirty_marks.make_some_failed_due(connection, job.id) > 0
    total = found.total + await failing.count_working(connection, job.id)
    detail = f"{found.total:,} of {counted(total, 'object')} {'fails' if found.total == 1 else 'fail'}"
    answer = Answer(
        Verdict.REFUSED,
        code=reason.value,
        detail=detail,
        next_step=f"See why: lockstep logs --app {job.row.app_name} --status failure",
    )
    due = await application_health.enter_quarantine(connection, services, job, reason, answer)
    await jobs.set_next_cycle_at(connection, job.id, due)
    return False


async def _reason(connection: Connection, job: Job, found: FailureCounts) -> QuarantineReason | None:
    if found.total < FEWEST:
        return None
    working = await failing.count_working(connection, job.id)
    return decide_quarantine(Health(working, found.base, found.references))


def _mostly_worked(counts: Mapping[str, int]) -> bool:
    return sum(counts.get(name, 0) for name in WORKED) > counts.get("failed", 0)
