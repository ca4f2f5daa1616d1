"""Send one journalled write and decide what its answer means.

A write whose outcome is unknown is never repeated: its operation stays open, and the next claim looks at the application first.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from lockstep.engine.decisions.kept import steps_of
from lockstep.engine.decisions.matching import match_key
from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.decisions.rejections import guarded_effects
from lockstep.engine.decisions.settlement import Sent, answers_to, resembles
from lockstep.engine.moment import Moment
from lockstep.engine.plans import BlockedBy
from lockstep.engine.records import Action, Change
from lockstep.ports import Answer, Target, TargetError, Verdict
from lockstep.storage.dirty import Claim
from lockstep.storage.journal import HoldReason, JournalEntry, OperationError, SettledOperation
from lockstep.storage.log_record import LogRecord
from lockstep.sync.drain import partial
from lockstep.sync.drain.read_back import confirmed
from lockstep.sync.drain.work import Write
from lockstep.sync.outcome import giving_back, kept_values, outcomes
from lockstep.sync.outcome.log_records import SYSTEM, changes_document, record_of, record_of_failure
from lockstep.sync.outcome.outcomes import Failure, Outcome
from lockstep.sync.planning.planner import PlanResult

log = structlog.get_logger()

GONE_TEXT = "The application reports that the account does not exist"
UNKEPT = "The application reported success, but its response shows the account unchanged"
LOOKS_AT_SILENCE = 1  # at an account that lacks essential values the application accepted
OTHER_TEXT = "The application answered with a different account than the one to be created"


async def send(target: Target, write: Write) -> Answer:
    """Send the write that the plan describes. Never raises for an error of the application or the network."""
    try:
        answer = kept_values.with_judgement(write.planned, await _send(target, write))
        return kept_values.with_refusals(await confirmed(target, write.planned, answer))
    except TargetError as failed:
        return failed.answer
    except Exception:
        # The write may have been sent, so treat its outcome as unknown.
        log.error("send_fault", operation=write.operation_id, trace=traceback.format_exc())
        return Answer(Verdict.AMBIGUOUS, code="InternalError", detail="An internal error occurred while sending")


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

    async def create(changes: Sequence[Change], _: Answer | None) -> Answer:
        values = {change.path: plan.mapped.values[change.path] for change in changes}
        return await target.create(plan.kind, values, operation_id=write.operation_id)

    answer = await target.create(plan.kind, plan.mapped.values, operation_id=write.operation_id)
    if partial.may_be_of_a_part(answer):
        return await partial.Parts(create, write.planned.prepared.mapping).create(plan.changes, answer)
    return answer


def outcome_of(
    write: Write, answer: Answer, *, moment: Moment, seconds: float, wait: timedelta, initiated_by: str
) -> Outcome:
    """What to record for *answer*. *wait*: the time from an ambiguous answer to the next look at the application."""
    claim, planned, operation = write.claim, write.planned, write.operation_id
    requests = outcomes.requests_of(answer)
    looks = claim.resume.looks

    def settled(state: str) -> tuple[SettledOperation, ...]:
        status = answer.exchanges[-1].status if answer.exchanges else None
        error = None if state == "confirmed" else OperationError(answer.code, answer.detail, status)
        return (SettledOperation(operation, state, request_count=requests, error=error),)

    def again(words: str, state: str, *, is_first_at_once: bool = False) -> Outcome:
        return giving_back.look_again(
            claim,
            words,
            after=wait,
            moment=moment,
            settled=settled(state),
            requests=requests,
            is_first_at_once=is_first_at_once,
        )

    match answer.verdict:
        case Verdict.DONE_ALREADY if planned.plan.action is Action.DELETE and looks < outcomes.MOST_LOOKS_AGAIN:
            # "Not found" does not prove that the account is gone, so read it first.
            return again(GONE_TEXT, "ambiguous")
        case Verdict.DONE if planned.plan.action is Action.CREATE and not _is_answer_to(planned, answer):
            if looks < outcomes.MOST_LOOKS_AGAIN:
                return again(OTHER_TEXT, "ambiguous")
            failure = Failure("OtherAccount", OTHER_TEXT, "Report it to the vendor of the application.")
            other = outcomes.refused(claim, planned, failure, moment=moment, settled=settled("ambiguous"))
            return _logged(other, write, answer, failure, seconds, initiated_by, requests=requests)
        case Verdict.DONE if _may_be_of_before(planned, answer) and looks < LOOKS_AT_SILENCE:
            return again(UNKEPT, "refused")
        case Verdict.DONE | Verdict.DONE_ALREADY if answer.refused:
            in_part, failure = partial.outcome(claim, planned, operation, answer, moment=moment)
            return _logged(in_part, write, answer, failure, seconds, initiated_by)
        case Verdict.DONE | Verdict.DONE_ALREADY:
            record = _record_of(write, answer, None, seconds, initiated_by)
            return outcomes.written(claim, planned, operation, answer, log=record)
        case Verdict.GONE if planned.plan.action is not Action.CREATE and looks < outcomes.MOST_LOOKS_AGAIN:
            return again(GONE_TEXT, "refused")
        case Verdict.CONFLICT | Verdict.STALE if looks < outcomes.MOST_LOOKS_AGAIN:
            return again(answer.detail, "refused", is_first_at_once=True)
        case Verdict.AMBIGUOUS if looks < outcomes.MOST_UNCERTAIN_LOOKS:
            return again(answer.detail, "ambiguous")
        case Verdict.THROTTLED:
            # A 503 may come from a proxy that passed the request on.
            was_refused = not answer.exchanges or answer.exchanges[-1].status == 429
            state = "dropped" if was_refused else "ambiguous"
            return _not_taken(claim, answer, moment=moment, wait=wait, settled=settled(state), requests=requests)
        case Verdict.UNAUTHORIZED | Verdict.UNREACHABLE | Verdict.BLOCKED:
            return _not_taken(claim, answer, moment=moment, wait=wait, settled=settled("dropped"), requests=requests)
        case _:
            failure = Failure.of(answer, code="Conflict")
            state = "ambiguous" if answer.verdict is Verdict.AMBIGUOUS else "refused"
            refused = outcomes.refused(claim, planned, failure, moment=moment, settled=settled(state))
            return _logged(refused, write, answer, failure, seconds, initiated_by, requests=requests)


def _may_be_of_before(planned: PlanResult, answer: Answer) -> bool:
    """Whether *answer* may show the account as it was before. Some applications answer so: look before calling it a failure."""
    return planned.plan.action is not Action.CREATE and kept_values.is_refused_silently(answer)


def _not_taken(
    claim: Claim,
    answer: Answer,
    *,
    moment: Moment,
    wait: timedelta,
    settled: tuple[SettledOperation, ...] = (),
    requests: int,
) -> Outcome:
    """The outcome if the application took no request. A request held back by our own turns was never sent and does not count."""
    if answer.verdict is Verdict.THROTTLED and not answer.exchanges:
        return giving_back.not_sent(claim, due=answer.retry_at, settled=settled)
    return giving_back.put_off(claim, answer, first=wait, moment=moment, settled=settled, requests=requests)


def _is_answer_to(planned: PlanResult, answer: Answer) -> bool:
    """Whether the account in the answer to a create is the one we sent, as far as the answer shows."""
    account, mapping = answer.account, planned.prepared.mapping
    if account is None or mapping is None:
        return account is not None
    queries = planned.prepared.queries
    if answers_to(queries, account):
        return True
    return resembles(Sent("", Action.CREATE, account.id, planned.plan.mapped.values, queries), account, mapping)


def failed_look(
    claim: Claim,
    answer: Answer,
    *,
    moment: Moment,
    wait: timedelta,
    prepared: PreparedObject | None = None,
    initiated_by: str = SYSTEM,
    is_unsettled: bool = False,
) -> Outcome:
    """The outcome if the application could not be read: nothing is known, so nothing is decided."""
    match answer.verdict:
        case Verdict.THROTTLED | Verdict.UNAUTHORIZED | Verdict.UNREACHABLE | Verdict.BLOCKED:
            return _not_taken(claim, answer, moment=moment, wait=wait, requests=1)
        case Verdict.AMBIGUOUS if claim.resume.looks < outcomes.MOST_UNCERTAIN_LOOKS:
            return giving_back.look_again(claim, answer.detail, after=wait, moment=moment, settled=(), requests=1)
        case _:
            failure = Failure.of(answer, code="InternalServerError")
            display = prepared.obj.display if prepared is not None else ""
            record = record_of_failure(claim, failure, answer, display=display, initiated_by=initiated_by)
            refused = outcomes.refused(
                claim, None, failure, moment=moment, prepared=prepared, is_unsettled=is_unsettled
            )
            return replace(refused, log=record)


def _logged(
    outcome: Outcome,
    write: Write,
    answer: Answer,
    failure: Failure | None,
    seconds: float,
    initiated_by: str,
    *,
    requests: int = 0,
) -> Outcome:
    record = _record_of(write, answer, failure, seconds, initiated_by)
    return replace(outcome, log=record, requests=outcome.requests + requests)


def _record_of(write: Write, answer: Answer, failure: Failure | None, seconds: float, initiated_by: str) -> LogRecord:
    return record_of(
        write.planned.plan,
        change_id=write.operation_id,
        cycle=write.claim.cycle,
        initiated_by=initiated_by,
        answer=answer,
        failure=failure,
        seconds=seconds,
        marks=write.claim.reasons,
    )


def journal_entry(job: str, write: Write) -> JournalEntry:
    """The operation as it is journalled before it is sent."""
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
    )


def planned_now(claim: Claim, planned: PlanResult, *, moment: Moment, change_id: str, initiated_by: str) -> Outcome:
    """The outcome of a plan that needs no request; refused objects go to the retry list, held objects are parked."""
    plan = planned.plan
    failure = None
    if plan.blocked_by is BlockedBy.REJECTION:
        outcome = outcomes.left_rejected(claim, planned)
    elif plan.action is Action.HELD:
        outcome = outcomes.held_back(claim, planned, _held_entry(claim, planned, change_id))
    elif plan.action is Action.REFUSE:
        account = plan.reason.details.get("targetId", "") if plan.reason.details.get("linkedTo") else ""
        may_pass = plan.blocked_by is BlockedBy.FORMER_OWNER
        failure = Failure(plan.reason.code, plan.reason.text, plan.reason.next_step, account, may_pass)
        outcome = outcomes.refused(claim, planned, failure, moment=moment)
    else:
        outcome = outcomes.without_write(claim, planned)
    judged = kept_values.judged_reading(planned)
    is_news = plan.reports_drift or bool(steps_of(judged))
    if plan.action is Action.NONE and not claim.is_on_demand and not is_news:
        return outcome  # in step: nothing to log
    record = record_of(
        plan,
        change_id=change_id,
        cycle=claim.cycle,
        initiated_by=initiated_by,
        failure=failure,
        judged=judged,
        marks=claim.reasons,
    )
    return replace(outcome, log=record)


def _held_entry(claim: Claim, planned: PlanResult, operation_id: str) -> JournalEntry:
    plan, reason = planned.plan, planned.plan.reason
    entry = journal_entry("", Write(claim, planned, operation_id))
    why = HoldReason(
        code=reason.code,
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
    """Whether the account is being linked to another object, so that this one can be decided shortly."""
    is_under_way = planned.plan.blocked_by is BlockedBy.ACCOUNT_UNDER_WAY
    return is_under_way and claim.resume.looks < outcomes.MOST_UNCERTAIN_LOOKS
