"""Read one object from the application, to plan the object or to settle its earlier operations.

Planning may store claims on unique values. If a leaver's account is active again, the accounts of all leavers are marked to be read.
Nothing else is written. If a read fails, nothing is decided: the failure is returned as `Unreadable`, with the outcome to record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from lockstep.engine.decisions.intent import Intent, IntentKind
from lockstep.engine.decisions.plan import PreparedObject, make_plan
from lockstep.engine.decisions.source_record import IS_SOFT_DELETED
from lockstep.engine.records import Account, Link, LinkState, Reason
from lockstep.ports import Answer, TargetError, TargetReader
from lockstep.storage.dirty import NEWEST_LEAVER_MARK
from lockstep.sync.cycle import returned_leavers
from lockstep.sync.drain import answers, settled_outcomes
from lockstep.sync.drain.settling import settle
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


LookResult: TypeAlias = PlanResult | Outcome | Unreadable


async def look(
    services: Services,
    job: Job,
    work: Look | Settle,
    reader: TargetReader,
    *,
    initiated_by: str,
) -> LookResult:
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
    unsettled = isinstance(work, Settle)
    outcome = answers.failed_look(
        work.claim,
        answer,
        moment=services.moment(),
        wait=services.times.ambiguous_wait,
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
        return _plan_stray(work.prepared, found.link, found.stray)
    return settled_outcomes.settled(
        work.claim,
        work.prepared.obj.display,
        found,
        moment=services.moment(),
        wait=services.times.ambiguous_wait,
        initiated_by=initiated_by,
    )


def _plan_stray(prepared: PreparedObject, link: Link, account: Account) -> PlanResult:
    """Plan to disable *account*, the second account of the object, which a create request of Lockstep itself made."""
    text = f"The account {account.id} was created for the same object as {link.target_id}, which is linked."
    reason = Reason("DuplicateAccount", text, {"targetId": account.id, "linked": link.target_id})
    only = replace(
        prepared,
        link=Link(prepared.obj.kind, prepared.obj.id, account.id, LinkState.LIVE, {}),
        intent=Intent(IntentKind.DISABLE, "duplicate", (reason,)),
        record={**prepared.record, IS_SOFT_DELETED: "True"},
        must_look=False,
    )
    return PlanResult(make_plan(only, observed=account), only, account, is_stray=True)
