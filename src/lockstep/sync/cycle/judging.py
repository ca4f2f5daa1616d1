"""Judge a job by all its objects when a cycle ends: whether too many fail for it to go on as fast as it can.

A quarantine for failure counts slows down what gives accounts and changes them; who is to lose access loses it. It ends when few
enough fail, which is tried with a few of them first, at times that grow apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lockstep.engine.decisions.quarantine import Health, QuarantineReason, decide_quarantine, holds_everything
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import Connection
from lockstep.storage import dirty_marks, failing, jobs
from lockstep.storage.cycles import Cycle
from lockstep.storage.failing import Failing
from lockstep.sync import application_health
from lockstep.sync.services import Job, Services
from lockstep.wording import counted

SAMPLE = 10  # of those who failed, at each attempt of a quarantine
FEWEST = 4  # below that many failures no job is in quarantine, so nothing else has to be counted
WORKED = ("created", "updated", "enabled", "disabled", "deleted", "linked", "unchanged", "released")


def is_held(quarantine: Mapping[str, Any] | None) -> bool:
    """Whether a quarantine blocks everything, leavers included."""
    return quarantine is not None and holds_everything(QuarantineReason(quarantine["reason"]))


def is_attempt_due(quarantine: Mapping[str, Any] | None) -> bool:
    """Whether the time has come to try again."""
    attempt = (quarantine or {}).get("nextAttempt")
    return not attempt or datetime.fromisoformat(str(attempt)) <= datetime.now(UTC)


def slowed_until(quarantine: Mapping[str, Any] | None) -> datetime | None:
    """When a quarantine for failure counts stops letting only leavers and on-demand runs through; None where it does not."""
    if quarantine is None or is_held(quarantine) or is_attempt_due(quarantine):
        return None
    return datetime.fromisoformat(str(quarantine["nextAttempt"]))


async def judge(connection: Connection, services: Services, job: Job, ended: Cycle) -> bool:
    """Begin, prolong or end a quarantine after a cycle; True where more has become due by that."""
    await jobs.lock_job(connection, job.id)
    row = await jobs.read_job(connection, job.id)
    before = row.quarantine if row is not None else None
    if is_held(before):
        return False  # only a response from the application ends that quarantine
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
    if before is not None and not is_attempt_due(before):
        await jobs.set_next_cycle_at(connection, job.id, datetime.fromisoformat(before["nextAttempt"]))
        return False
    if before is not None and before.get("trial") != "all" and _mostly_worked(ended.counts):
        # The cause may be gone: trying all failed objects shows whether it is.
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


async def _reason(connection: Connection, job: Job, found: Failing) -> QuarantineReason | None:
    if found.total < FEWEST:
        return None
    working = await failing.count_working(connection, job.id)
    return decide_quarantine(Health(working, found.base, found.references))


def _mostly_worked(counts: Mapping[str, int]) -> bool:
    return sum(counts.get(name, 0) for name in WORKED) > counts.get("failed", 0)
