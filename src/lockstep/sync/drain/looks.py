"""Read one object from the application, to plan the object or to settle its earlier operations.

Nothing is written except claims on unique values, which planning stores, and marks on leavers if one of them is active again. If a read
fails, nothing is decided: the failure is returned as `Unreadable`, with the outcome to record.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from lockstep.ports import Answer, TargetError, TargetReader
from lockstep.storage.dirty import NEWEST_LEAVER_MARK
from lockstep.sync.cycle import returned_leavers
from lockstep.sync.drain import answers, settled_outcomes
from lockstep.sync.drain.settling import plan_stray, settle
from lockstep.sync.drain.work import Look, Settle
from lockstep.sync.outcome.outcomes import Outcome
from lockstep.sync.planning.ownership import StoredOwnership
from lockstep.sync.planning.planner import CountingReader, PlanResult, plan_one
from lockstep.sync.planning.unique_values import StoredClaims
from lockstep.sync.services import Job, Services


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The application could not be read. *outcome* is what to record for the object. *answer* is used to judge the application's health."""

    outcome: Outcome
    answer: Answer


Found: TypeAlias = PlanResult | Outcome | Unreadable


async def look(
    services: Services,
    job: Job,
    work: Look | Settle,
    reader: TargetReader,
    *,
    initiated_by: str,
) -> Found:
    """Return a plan to carry out, or an outcome to record."""
    try:
        if isinstance(work, Settle):
            return await _settle(services, job, work, reader, initiated_by)
        ownership = StoredOwnership(services.pool, job.id, StoredClaims(services.pool, job.id))
        planned = await plan_one(work.prepared, CountingReader(reader), ownership, look=work.look)
        if NEWEST_LEAVER_MARK in work.claim.reasons and returned_leavers.is_active_again(planned):
            await returned_leavers.mark_all(services, job)
        return planned
    except TargetError as failed:
        answer = failed.answer
    wait = timedelta(seconds=services.times.ambiguous_wait_seconds)
    unsettled = isinstance(work, Settle)
    outcome = answers.failed_look(
        work.claim,
        answer,
        moment=services.moment(),
        wait=wait,
        prepared=work.prepared,
        initiated_by=initiated_by,
        is_unsettled=unsettled,
    )
    return Unreadable(outcome, answer)


async def _settle(
    services: Services, job: Job, work: Settle, reader: TargetReader, initiated_by: str
) -> PlanResult | Outcome:
    """Find the outcomes of the open operations. After these are recorded, the object is planned again."""
    found = await settle(services, job, work.prepared, work.unsettled, reader)
    is_all_recorded = not (found.settled or found.problem or found.waits)
    if found.stray is not None and found.link is not None and is_all_recorded:
        return plan_stray(work.prepared, found.link, found.stray)
    return settled_outcomes.settled(
        work.claim,
        work.prepared.obj.display,
        found,
        moment=services.moment(),
        wait=timedelta(seconds=services.times.ambiguous_wait_seconds),
        initiated_by=initiated_by,
    )
