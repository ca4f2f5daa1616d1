"""Journal a write and send it, or return the outcome of a plan that needs no request.

A write whose outcome is unknown is never repeated: its operation stays open, and the next claim first checks in the application.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Sequence
from dataclasses import replace

import structlog

from lockstep.engine.decisions.matching import match_key
from lockstep.engine.decisions.rejections import guarded_effects
from lockstep.engine.decisions.value_fates import steps_of
from lockstep.engine.moment import Moment
from lockstep.engine.plans import BlockedBy, GuardCode, Plan
from lockstep.engine.records import Action, Change
from lockstep.ports import Answer, NewAccount, Target, TargetError, Verdict
from lockstep.storage.dirty import Claim
from lockstep.storage.journal import HoldReason, JournalEntry
from lockstep.storage.log_record import LogRecord
from lockstep.storage.taking import Taking
from lockstep.sync.drain import partial
from lockstep.sync.drain.read_back import confirmed
from lockstep.sync.drain.work import Write
from lockstep.sync.outcome import kept_values, outcomes
from lockstep.sync.outcome.log_records import changes_document, record_of
from lockstep.sync.outcome.outcomes import Failure, Outcome
from lockstep.sync.planning.planner import PlanResult

log = structlog.get_logger()

_FAULT = Answer(Verdict.AMBIGUOUS, code="InternalError", detail="An internal error occurred while sending")


async def send(target: Target, write: Write) -> Answer:
    """Send the write that the plan describes. An error of the application or the network becomes an answer and is never raised."""
    return await _judged(target, write, _send(target, write))


async def send_all(target: Target, writes: Sequence[Write]) -> Sequence[Answer]:
    """Send one write, or several creates of the same kind that may share a request. Returns the answer to each, as `send` does."""
    if len(writes) == 1:
        return [await send(target, writes[0])]
    creates = [NewAccount(one.operation_id, one.planned.plan.mapped.values) for one in writes]
    try:
        answers = await target.create_many(writes[0].planned.plan.kind, creates)
    except Exception:
        log.error("send_fault", operation=writes[0].operation_id, trace=traceback.format_exc())
        return [replace(_FAULT, shares_request=at > 0) for at in range(len(writes))]
    pairs = zip(writes, answers, strict=True)
    return [await _judged(target, write, _in_parts(target, write, answer)) for write, answer in pairs]


async def _judged(target: Target, write: Write, sent: Awaitable[Answer]) -> Answer:
    """Return the answer to a write, with a judgement on each sent value. Errors become answers."""
    try:
        answer = kept_values.with_judgement(write.planned, await sent)
        return kept_values.with_refusals(await confirmed(target, write.planned, answer))
    except TargetError as failed:
        return failed.answer
    except Exception:
        # The write may have been sent, so treat its outcome as unknown.
        log.error("send_fault", operation=write.operation_id, trace=traceback.format_exc())
        return _FAULT


async def _send(target: Target, write: Write) -> Answer:
    planned, plan = write.planned, write.planned.plan
    link = planned.prepared.link
    etag = planned.current.etag if planned.current is not None else link.etag if link is not None else ""
    target_id = plan.link_to.id if plan.link_to is not None else plan.target_id
    if plan.action is Action.CREATE:
        return await _create(target, write)
    if plan.action is Action.DELETE:
        return await target.delete(plan.kind, target_id, etag=etag, operation_id=write.operation_id)

    async def update(changes: Sequence[Change], before: Answer | None) -> Answer:
        newest = before.account if before is not None else planned.current
        version = etag if before is None else newest.etag if newest is not None else ""
        return await target.update(
            plan.kind, target_id, changes, current=newest, etag=version, operation_id=write.operation_id
        )

    answer = await update(plan.changes, None)
    if len(plan.changes) > 1 and partial.may_be_of_a_part(answer):
        return await partial.Parts(update, planned.prepared.mapping).change(plan.changes, answer)
    return answer


async def _create(target: Target, write: Write) -> Answer:
    plan = write.planned.plan
    answer = await target.create(plan.kind, plan.mapped.values, operation_id=write.operation_id)
    return await _in_parts(target, write, answer)


async def _in_parts(target: Target, write: Write, answer: Answer) -> Answer:
    """If the application refused a create because of some attributes, create the account without them. Otherwise return *answer*."""
    plan = write.planned.plan
    if not partial.may_be_of_a_part(answer):
        return answer

    async def create(changes: Sequence[Change], _: Answer | None) -> Answer:
        values = {change.path: plan.mapped.values[change.path] for change in changes}
        return await target.create(plan.kind, values, operation_id=write.operation_id)

    return await partial.Parts(create, write.planned.prepared.mapping).create(plan.changes, answer)


def journal_entry(job: str, write: Write) -> JournalEntry:
    """Build the journal entry of the operation. It is written before the operation is sent."""
    plan = write.planned.plan
    before, after = changes_document(plan.changes)
    queries = write.planned.prepared.queries if plan.action is Action.CREATE else ()
    return JournalEntry(
        id=write.operation_id,
        kind=plan.kind,
        source_id=plan.source_id,
        target_id=plan.link_to.id if plan.link_to is not None else plan.target_id,
        cycle=write.claim.cycle,
        action=plan.action.value,
        attempt=write.claim.attempt,
        before=before,
        after=after,
        ends_access=plan.ends_access,
        grants=bool(plan.grants),
        empties=plan.empties,
        renames=bool(plan.renames),
        decision="approved" if write.claim.is_approved else None,
        match_keys=tuple(match_key(job, plan.kind, query) for query in queries),
        queries=tuple(queries),
        matched_by=plan.matched_by,
    )


def taking(job: str, write: Write) -> Taking | None:
    """Return the request to take the account that *write* creates or links, or None if the object already has the account."""
    plan = write.planned.plan
    queries = write.planned.prepared.queries if plan.action is Action.CREATE else ()
    if not queries and plan.link_to is None:
        return None
    return Taking(
        write.operation_id,
        plan.kind.value,
        plan.source_id,
        plan.link_to.id if plan.link_to is not None else "",
        tuple(match_key(job, plan.kind, query) for query in queries),
        write.claim.claimed_at,
    )


def planned_now(claim: Claim, planned: PlanResult, *, moment: Moment, change_id: str, initiated_by: str) -> Outcome:
    """Return the outcome of a plan that needs no request. Refused objects go to the retry list, held objects are parked."""
    plan = planned.plan
    is_rejected = plan.blocked_by is BlockedBy.REJECTION
    failure = _failure_of(plan) if plan.action is Action.REFUSE and not is_rejected else None
    log = _record_of(claim, planned, failure, change_id=change_id, initiated_by=initiated_by)
    if is_rejected:
        return outcomes.left_rejected(claim, planned, log=log)
    if plan.action is Action.HELD:
        return outcomes.held_back(claim, planned, _held_entry(claim, planned, change_id), log=log)
    if failure is not None:
        return outcomes.refused(claim, planned, failure, moment=moment, log=log)
    return outcomes.without_write(claim, planned, log=log)


def _failure_of(plan: Plan) -> Failure:
    """Return the failure to report for an object whose plan has the action REFUSE."""
    account = plan.reason.details.get("targetId", "") if plan.reason.details.get("linkedTo") else ""
    may_pass = plan.blocked_by is BlockedBy.FORMER_OWNER
    return Failure(plan.reason.code, plan.reason.text, plan.reason.next_step, account, may_pass)


def _record_of(
    claim: Claim, planned: PlanResult, failure: Failure | None, *, change_id: str, initiated_by: str
) -> LogRecord | None:
    """Return the log record of a plan that needs no request, or None if the object is in step and there is nothing to report."""
    judged = kept_values.judged_reading(planned)
    is_news = planned.plan.reports_drift or bool(steps_of(judged))
    if planned.plan.action is Action.NONE and not claim.is_on_demand and not is_news:
        return None
    return record_of(
        planned.plan,
        change_id=change_id,
        cycle=claim.cycle,
        initiated_by=initiated_by,
        failure=failure,
        judged=judged,
        marks=claim.reasons,
    )


def _held_entry(claim: Claim, planned: PlanResult, operation_id: str) -> JournalEntry:
    plan, reason = planned.plan, planned.plan.reason
    entry = journal_entry("", Write(claim, planned, operation_id))
    why = HoldReason(
        guard=plan.held_by or GuardCode.LOSSES,
        reason=reason.text,
        display=plan.display,
        details=reason.details,
        grants=plan.grants,
        why=next(iter(plan.reasons[1:]), reason).text,
        cause=plan.cause,
        effects=tuple(sorted(guarded_effects(plan))),
    )
    return replace(entry, action=(plan.held_action or plan.action).value, held=why)


def waits_for_another(claim: Claim, planned: PlanResult) -> bool:
    """Whether the account is just being linked to another object. If so, this object can be decided shortly. After `MOST_UNCERTAIN_LOOKS`
    looks, the object waits no longer.
    """
    is_under_way = planned.plan.blocked_by is BlockedBy.ACCOUNT_UNDER_WAY
    return is_under_way and claim.resume.looks < outcomes.MOST_UNCERTAIN_LOOKS
