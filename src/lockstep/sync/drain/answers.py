"""Decide what an answer of the application means for the object: written, refused, put off, or to be looked at again.

A write whose outcome is unknown is never repeated: its operation stays open, and the next claim looks at the application first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.decisions.settlement import Sent, answers_to, resembles
from lockstep.engine.moment import Moment
from lockstep.engine.records import Action
from lockstep.ports import Answer, Verdict
from lockstep.storage.dirty import Claim
from lockstep.storage.journal import OperationError, SettledOperation
from lockstep.storage.log_record import LogRecord
from lockstep.sync.drain import partial
from lockstep.sync.drain.work import Write
from lockstep.sync.outcome import giving_back, kept_values, outcomes
from lockstep.sync.outcome.log_records import SYSTEM, record_of, record_of_failure
from lockstep.sync.outcome.outcomes import Failure, Outcome
from lockstep.sync.planning.planner import PlanResult

GONE_TEXT = "The application reports that the account does not exist"
UNKEPT = "The application reported success, but its response shows the account unchanged"
LOOKS_AT_SILENCE = 1  # at an account that lacks essential values the application accepted
OTHER_TEXT = "The application answered with a different account than the one to be created"


def outcome_of(
    write: Write, answer: Answer, *, moment: Moment, seconds: float, wait: timedelta, initiated_by: str
) -> Outcome:
    """What to record for *answer*. *wait*: the time from an ambiguous answer to the next look at the application."""
    claim, planned, operation = write.claim, write.planned, write.operation_id
    requests = outcomes.requests_of(answer)
    looks = claim.resume.looks

    def settled(state: str) -> tuple[SettledOperation, ...]:
        return (_settled(operation, state, answer, requests),)

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


def _settled(operation: str, state: str, answer: Answer, requests: int) -> SettledOperation:
    status = answer.exchanges[-1].status if answer.exchanges else None
    is_conflict = answer.verdict is Verdict.CONFLICT
    error = (
        OperationError(answer.code, answer.detail, status, is_conflict=is_conflict) if state != "confirmed" else None
    )
    return SettledOperation(operation, state, request_count=requests, error=error)


def _may_be_of_before(planned: PlanResult, answer: Answer) -> bool:
    """Whether *answer* may show the account as it was before the write. Some applications answer like that, so read the account before
    calling it a failure.
    """
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
    """Return the outcome if the application took no request. A request held back by our own turns was never sent and does not count."""
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
