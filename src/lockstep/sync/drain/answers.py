"""Decide what the application's answer to a write means for the object: written, refused, postponed, or to be read again.

A write whose outcome is unknown is never repeated: its operation stays open, and the next claim first checks in the application.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.decisions.settlement import SentOperation, answers_to, resembles
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

INTERNAL_ERROR = Failure(
    "InternalError", "An internal error occurred while processing this object.", "Report it with the log of the worker."
)
GONE_TEXT = "The application reports that the account does not exist"
UNKEPT = "The application reported success, but its response shows the account unchanged"
# The number of times that an account is read again if the response lacks essential values that the application accepted.
LOOKS_AT_SILENCE = 1
OTHER_TEXT = "The application answered with a different account than the one to be created"
NOT_DELETED = Failure(
    "InvalidAnchor",
    "The application answers a deletion with HTTP 404, but still shows the account.",
    "If it cannot delete accounts, switch Delete off in the mapping: leavers are then disabled.",
)


def outcome_of(
    write: Write,
    answer: Answer,
    *,
    moment: Moment,
    seconds: float,
    wait: timedelta,
    initiated_by: str,
    rival: Failure | None = None,
) -> Outcome:
    """Return what to record for *answer*. *wait* is the first pause before the application is read again.

    *rival* is a failure that names the object with the conflicting value. It is recorded instead of the general failure. *rival* is None if
    that object is not known.
    """
    return _Reply(write, answer, moment, seconds, wait, initiated_by, rival).outcome()


@dataclass(frozen=True, slots=True)
class _Reply:
    """The response to one write, with everything else that decides the outcome (the arguments of `outcome_of`)."""

    write: Write
    answer: Answer
    moment: Moment
    seconds: float
    wait: timedelta
    initiated_by: str
    rival: Failure | None

    def outcome(self) -> Outcome:
        answer, looks, rereads = self.answer, self.write.claim.resume.looks, self.write.claim.resume.rereads
        match answer.verdict:
            case Verdict.DONE | Verdict.DONE_ALREADY:
                return self._accepted(rereads)
            case Verdict.GONE if self._action is not Action.CREATE and rereads < outcomes.MOST_LOOKS_AGAIN:
                return self._again(GONE_TEXT, "refused", is_reread=True)
            case Verdict.CONFLICT | Verdict.STALE if rereads < outcomes.MOST_LOOKS_AGAIN:
                return self._again(answer.detail, "refused", is_reread=True, is_first_at_once=True)
            case Verdict.AMBIGUOUS if looks < outcomes.MOST_UNCERTAIN_LOOKS:
                return self._again(answer.detail, "ambiguous")
            case Verdict.THROTTLED:
                # Only a 429 proves a refusal. A 503 may come from a proxy that already passed the request on.
                was_refused = not answer.exchanges or answer.exchanges[-1].status == 429
                return self._not_taken("dropped" if was_refused else "ambiguous")
            case Verdict.UNAUTHORIZED | Verdict.UNREACHABLE | Verdict.BLOCKED:
                return self._not_taken("dropped")
            case _:
                state = "ambiguous" if answer.verdict is Verdict.AMBIGUOUS else "refused"
                return self._refused(self.rival or Failure.of(answer, code="Conflict"), state)

    def _accepted(self, rereads: int) -> Outcome:
        """Return the outcome if the application reports success. If the content of the response contradicts the success, the outcome is a
        failure.
        """
        write, answer = self.write, self.answer
        claim, planned, operation = write.claim, write.planned, write.operation_id
        is_change = answer.verdict is Verdict.DONE
        if not is_change and self._action is Action.DELETE:
            # "Not found" does not prove that the account is gone, so read the account again. It was there before: otherwise this deletion
            # would not have been sent.
            if rereads < outcomes.MOST_LOOKS_AGAIN:
                return self._again(GONE_TEXT, "ambiguous", is_reread=True)
            return self._refused(NOT_DELETED, "refused")
        if is_change and self._action is Action.CREATE and not _is_answer_to(planned, answer):
            if rereads < outcomes.MOST_LOOKS_AGAIN:
                return self._again(OTHER_TEXT, "ambiguous", is_reread=True)
            failure = Failure("OtherAccount", OTHER_TEXT, "Report it to the vendor of the application.")
            return self._refused(failure, "ambiguous")
        if is_change and _may_be_of_before(planned, answer) and rereads < LOOKS_AT_SILENCE:
            return self._again(UNKEPT, "refused", is_reread=True)
        if answer.refused:
            failure = partial.failure_of(answer)
            log = self._record(failure)
            return partial.outcome(claim, planned, operation, answer, failure, moment=self.moment, log=log)
        return outcomes.written(claim, planned, operation, answer, log=self._record(None))

    @property
    def _action(self) -> Action:
        return self.write.planned.plan.action

    def _again(self, words: str, state: str, *, is_reread: bool = False, is_first_at_once: bool = False) -> Outcome:
        return giving_back.look_again(
            self.write.claim,
            words,
            after=self.wait,
            moment=self.moment,
            settled=self._settled(state),
            requests=outcomes.requests_of(self.answer),
            is_reread=is_reread,
            is_first_at_once=is_first_at_once,
        )

    def _not_taken(self, state: str) -> Outcome:
        requests = outcomes.requests_of(self.answer)
        return _not_taken(
            self.write.claim,
            self.answer,
            moment=self.moment,
            wait=self.wait,
            settled=self._settled(state),
            requests=requests,
        )

    def _refused(self, failure: Failure, state: str) -> Outcome:
        return outcomes.refused(
            self.write.claim,
            self.write.planned,
            failure,
            moment=self.moment,
            settled=self._settled(state),
            log=self._record(failure),
            requests=outcomes.requests_of(self.answer),
        )

    def _settled(self, state: str) -> tuple[SettledOperation, ...]:
        requests = outcomes.requests_of(self.answer)
        return (_settled(self.write.operation_id, state, self.answer, requests),)

    def _record(self, failure: Failure | None) -> LogRecord:
        return record_of(
            self.write.planned.plan,
            change_id=self.write.operation_id,
            cycle=self.write.claim.cycle,
            initiated_by=self.initiated_by,
            answer=self.answer,
            failure=failure,
            seconds=self.seconds,
            marks=self.write.claim.reasons,
        )


def _settled(operation: str, state: str, answer: Answer, requests: int) -> SettledOperation:
    status = answer.exchanges[-1].status if answer.exchanges else None
    is_conflict = answer.verdict is Verdict.CONFLICT
    error = (
        OperationError(answer.code, answer.detail, status, is_conflict=is_conflict) if state != "confirmed" else None
    )
    return SettledOperation(operation, state, request_count=requests, error=error)


def _may_be_of_before(planned: PlanResult, answer: Answer) -> bool:
    """Whether *answer* may show the account as it was before the write, as some applications do. The account is then read again before the
    write counts as failed.
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
    """Return the outcome of a request that the application did not accept. If our own rate limit held the request back, the request was
    never sent and therefore does not count as a try.
    """
    if answer.verdict is Verdict.THROTTLED and not answer.exchanges:
        due = moment.now + answer.wait if answer.wait is not None else None
        return giving_back.not_sent(claim, due=due, settled=settled)
    return giving_back.put_off(claim, answer, first=wait, moment=moment, settled=settled, requests=requests)


def _is_answer_to(planned: PlanResult, answer: Answer) -> bool:
    """Whether the response to a create shows the account that was sent, and not another account. Values that the response omits are
    ignored.
    """
    account, mapping = answer.account, planned.prepared.mapping
    if account is None or mapping is None:
        return account is not None
    queries = planned.prepared.queries
    if answers_to(queries, account):
        return True
    return resembles(
        SentOperation("", Action.CREATE, account.id, planned.plan.mapped.values, queries), account, mapping
    )


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
    """Return the outcome if the application could not be read. Nothing is decided about the account, because its state is unknown."""
    match answer.verdict:
        case Verdict.THROTTLED | Verdict.UNAUTHORIZED | Verdict.UNREACHABLE | Verdict.BLOCKED:
            return _not_taken(claim, answer, moment=moment, wait=wait, requests=1)
        case Verdict.AMBIGUOUS if claim.resume.looks < outcomes.MOST_UNCERTAIN_LOOKS:
            return giving_back.look_again(claim, answer.detail, after=wait, moment=moment, settled=(), requests=1)
        case _:
            failure = Failure.of(answer, code="InternalServerError")
            display = prepared.obj.display if prepared is not None else ""
            record = record_of_failure(claim, failure, answer, display=display, initiated_by=initiated_by)
            return outcomes.refused(
                claim, None, failure, moment=moment, prepared=prepared, is_unsettled=is_unsettled, log=record
            )
