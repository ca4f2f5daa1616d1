"""Build the outcome of one object: the rows that record it. Pure: responses go in, rows come out; `recorder` writes them.

An ambiguous response is neither a failure nor a success. The operation stays open, and the application is checked again soon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from lockstep.engine.decisions.intent import IntentKind
from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.decisions.retry import QUICK_TRIES, retry_at
from lockstep.engine.moment import Moment
from lockstep.engine.records import Action, Link
from lockstep.ports import Answer, Verdict
from lockstep.storage.dirty import Claim, Due, Postponement
from lockstep.storage.journal import JournalEntry, SettledOperation
from lockstep.storage.log_record import LogRecord
from lockstep.storage.preview_objects import PreviewedObject
from lockstep.storage.references import WaitingReference
from lockstep.storage.resume import Resume, ShownError, Stage
from lockstep.storage.target_members import UnsureMember
from lockstep.sync.outcome import kept_values
from lockstep.sync.outcome.links import becomes_lost, link_after, touches_link, waiting_references
from lockstep.sync.planning.planner import PlanResult

COUNTED: Mapping[Action, str] = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.ENABLE: "enabled",
    Action.DISABLE: "disabled",
    Action.DELETE: "deleted",
    Action.LINK: "linked",
    Action.RELEASE: "released",
    Action.NONE: "unchanged",
    Action.SKIP: "skipped",
    Action.REFUSE: "failed",
    Action.HELD: "held",
}
LEFT = "left"  # counted for an object that is planned differently than in the preview that the cycle applies
MOST_UNCERTAIN_LOOKS = 8  # after this many, with doubling pauses, an application that never answers counts as failed
MOST_LOOKS_AGAIN = 4  # after this many in a row, an object that keeps conflicting counts as failed


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that is recorded for one object in one transaction.

    *unsure_members* are members that the application's group may or may not have. The object keeps its dirty row only if *postponed* is
    set. *counted* is "" if the cycle does not count the object yet. *ends_decisions* is true if the object has no write left that is held
    or rejected; *stays_rejected* is true if a rejected write is still planned.
    """

    claim: Claim
    counted: str = ""
    link: Link | None = None
    takes_over: bool = False
    is_newly_linked: bool = False
    settled: tuple[SettledOperation, ...] = ()
    held: JournalEntry | None = None
    ends_decisions: bool = False
    stays_rejected: bool = False
    log: LogRecord | None = None
    more_logs: tuple[LogRecord, ...] = ()  # records of earlier operations that were found to have taken effect
    postponed: Postponement | None = None
    waiting: tuple[WaitingReference, ...] | None = None
    unsure_members: tuple[UnsureMember, ...] = ()
    requests: int = 0
    more_counts: Mapping[str, int] = field(default_factory=dict)
    evidence: tuple[kept_values.Evidence, ...] = ()  # for each sent value: whether the application kept it
    is_logged: bool = False  # the failure has its log record already
    left: PreviewedObject | None = (
        None  # the new plan of an object that is planned differently than in an applied preview
    )

    @property
    def is_done(self) -> bool:
        return self.postponed is None

    @property
    def failed_now(self) -> Failure | None:
        """The reason why the object goes to the retry list, or None if it does not."""
        postponed = self.postponed
        if postponed is None or postponed.error is None or postponed.failures <= self.claim.failures:
            return None
        return Failure(postponed.error.code, postponed.error.reason, postponed.error.next_step)

    @property
    def is_undecided(self) -> bool:
        """Whether the object must be planned again before its result is known."""
        return self.postponed is not None and self.postponed.resume.is_undecided


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why an object failed, in the form in which the log and the retry list show it."""

    code: str
    reason: str
    next_step: str = ""
    account: str = ""  # the account that the object waits for, because another object has it
    may_pass: bool = False  # not caused by the object: a few quick retries come before the long waits

    @classmethod
    def of(cls, answer: Answer, *, code: str) -> Failure:
        """Build the failure of an object from *answer*. *code* is used if the response has none."""
        return cls(answer.code or code, answer.detail, answer.next_step, may_pass=answer.may_pass)

    @property
    def shown(self) -> ShownError:
        return ShownError(self.code, self.reason, self.next_step)


def without_write(claim: Claim, planned: PlanResult, *, log: LogRecord | None = None) -> Outcome:
    """Return the outcome of a plan that needs no request: in step, linked, released or skipped.

    If the object becomes due on a date, such as a hire date, the link stores that date. An object without a link keeps its dirty row with
    the date.
    """
    plan = planned.plan
    has_link = planned.prepared.is_linked or plan.link_to is not None or plan.gone_at is not None
    waits_until = None if has_link else plan.review_at
    return Outcome(
        claim,
        counted=COUNTED[plan.action],
        link=link_after(planned, None) if touches_link(planned) else None,
        takes_over=bool(plan.takes_over_from),
        is_newly_linked=plan.link_to is not None,
        log=log,
        waiting=waiting_references(planned),
        postponed=_scheduled(claim, waits_until) if waits_until is not None else None,
        requests=planned.requests,
        evidence=kept_values.evidence_of(planned, kept_values.judged_reading(planned)),
    )


def _scheduled(claim: Claim, at: datetime) -> Postponement:
    error = ShownError("Scheduled", "The object will be re-evaluated when it is due")
    return Postponement(claim, at, Resume(Stage.SCHEDULED), error)


def written(
    claim: Claim, planned: PlanResult, operation_id: str, answer: Answer, *, log: LogRecord | None = None
) -> Outcome:
    """Return the outcome of a write that the application accepted. *log* is the log record of the write."""
    plan = planned.plan
    account = answer.account
    target_id = account.id if account is not None else plan.target_id
    return Outcome(
        claim,
        counted=COUNTED[plan.action],
        link=link_after(planned, answer),
        takes_over=bool(plan.takes_over_from),
        is_newly_linked=plan.action is Action.CREATE or plan.link_to is not None,
        settled=(SettledOperation(operation_id, "confirmed", target_id, requests_of(answer)),),
        log=log,
        waiting=waiting_references(planned),
        requests=planned.requests + requests_of(answer),
        evidence=kept_values.evidence_of(planned, answer.judged),
    )


def refused(
    claim: Claim,
    planned: PlanResult | None,
    failure: Failure,
    *,
    moment: Moment,
    settled: tuple[SettledOperation, ...] = (),
    prepared: PreparedObject | None = None,
    is_unsettled: bool = False,
    log: LogRecord | None = None,
    requests: int = 0,
) -> Outcome:
    """Return the outcome of an object that failed and goes to the retry list. *requests* counts the requests sent after the plan was made.

    After the last retry, the object is given up only if two conditions are met: it is known that the object needs an account, and no
    earlier operation is open.
    """
    known = planned.prepared if planned is not None else prepared
    may_give_up = known is not None and known.intent.kind is IntentKind.PROVISION and not is_unsettled
    postponed = _on_retry_list(claim, planned, failure, may_give_up=may_give_up, moment=moment)
    link = link_after(planned, None) if planned is not None and becomes_lost(planned) else None
    return Outcome(
        claim,
        counted="" if postponed.keeps_cycle else "failed",
        link=link,
        settled=settled,
        log=log,
        postponed=postponed,
        requests=requests + (planned.requests if planned is not None else 0),
    )


def _on_retry_list(
    claim: Claim, planned: PlanResult | None, failure: Failure, *, may_give_up: bool, moment: Moment
) -> Postponement:
    """Return when the object is tried again. If the failure may be temporary, the cycle waits for the first few retries."""
    first = claim.first_failed_at or moment.now
    failures = claim.failures + 1
    most = planned.prepared.configuration.limits.max_retries if planned is not None else None
    quick = QUICK_TRIES if most is None else most
    tries = claim.resume.looks
    due = retry_at(
        first,
        failures,
        may_give_up=may_give_up,
        moment=moment,
        transient=failure.may_pass,
        quick_tries=quick,
        tries_before=tries,
    )
    is_soon = failure.may_pass and failures <= quick
    resume = Resume(
        Stage.FAILED,
        looks=tries if is_soon else 0,
        is_about_references=planned is not None and _is_about_references(planned),
        account=failure.account,
    )
    return Postponement(
        claim,
        due or Due.NEVER,
        resume,
        failure.shown,
        failures=failures,
        first_failed_at=first,
        keeps_cycle=is_soon and tries < MOST_UNCERTAIN_LOOKS,
    )


def _is_about_references(planned: PlanResult) -> bool:
    """Whether the plan changes references to other objects and nothing else. The other values of the account are then up to date."""
    mapping = planned.prepared.mapping
    references = {one.target for one in mapping.flowing if one.is_reference} if mapping is not None else set()
    return bool(planned.plan.changes) and all(change.path in references for change in planned.plan.changes)


def held_back(claim: Claim, planned: PlanResult, operation: JournalEntry, *, log: LogRecord | None = None) -> Outcome:
    """Return the outcome of a held object. The object waits until it changes or an administrator decides about the write."""
    error = ShownError(planned.plan.reason.code, planned.plan.reason.text)
    postponed = Postponement(claim, Due.NEVER, Resume(Stage.HELD, held_in=claim.cycle), error)
    return Outcome(claim, counted="held", held=operation, log=log, postponed=postponed, requests=planned.requests)


def left_rejected(claim: Claim, planned: PlanResult, *, log: LogRecord | None = None) -> Outcome:
    """Return the outcome of an object whose planned write was rejected: nothing is sent until a different write is planned."""
    return Outcome(claim, counted=COUNTED[Action.SKIP], stays_rejected=True, log=log, requests=planned.requests)


def unlinked(outcome: Outcome) -> tuple[SettledOperation, ...]:
    """Return the operations to record if the link of *outcome* cannot be recorded. A create stays open, because the account that it made
    still needs a link.
    """
    if outcome.counted != COUNTED[Action.CREATE]:
        return () if outcome.is_newly_linked and outcome.counted == "" else outcome.settled
    return tuple(SettledOperation(one.id, "ambiguous", request_count=one.request_count) for one in outcome.settled)


def with_members_due(outcome: Outcome) -> Outcome:
    """Return the group's own outcome, with the group's dirty row kept. The members are compared next, after the account is recorded."""
    resume = Resume(Stage.MEMBERS_DUE, looks=outcome.claim.resume.looks, members_due=True)
    return replace(
        outcome, postponed=next_at_once(outcome.claim, resume, "MembersDue", "Its members will be compared next")
    )


def with_names_due(outcome: Outcome) -> Outcome:
    """Return the outcome of a disable that keeps the dirty row, because the changed names must still be sent in a separate write."""
    text = "The account gets the current names of its person"
    return replace(outcome, postponed=next_at_once(outcome.claim, Resume(Stage.NAMES_DUE), "NamesDue", text))


def next_at_once(claim: Claim, resume: Resume, code: str, reason: str) -> Postponement:
    """Return a postponement that makes the object due at once in the same cycle, to continue at *resume*. Resets its failure count."""
    return Postponement(claim, Due.AT_ONCE, resume, ShownError(code, reason), keeps_cycle=True)


def with_names(outcome: Outcome) -> Outcome:
    """If *outcome* is that of the separate write of names after a disable, count this write in addition to the disable, which the cycle has
    already counted. Any other outcome is returned unchanged.
    """
    if outcome.claim.resume.stage is not Stage.NAMES_DUE or not outcome.counted:
        return outcome
    return replace(outcome, counted="", more_counts={**outcome.more_counts, outcome.counted: 1})


def requests_of(answer: Answer) -> int:
    """Return the number of requests that led to *answer*. The number is 1 if the requests were not recorded. It is 0 if no request was
    needed, or if another answer to the same bulk request counts the request.
    """
    if not answer.exchanges:
        return answer.reads + int(answer.verdict is not Verdict.DONE_ALREADY and not answer.shares_request)
    return answer.reads + sum(not one.shares_request for one in answer.exchanges)


def as_new(claim: Claim) -> Claim:
    """Return *claim* with its count of failed requests reset."""
    return replace(claim, resume=replace(claim.resume, looks=0, rereads=0))
