"""What one object's walk led to, as the rows that record it. Pure: answers go in, rows come out; `recorder` writes them.

An ambiguous answer is never a failure and never a success: the operation stays open, and the object is looked at again soon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lockstep.engine.decisions.intent import IntentKind
from lockstep.engine.decisions.plan import Prepared
from lockstep.engine.decisions.retry import QUICK_TRIES, retry_at
from lockstep.engine.moment import Moment
from lockstep.engine.records import Action, Link
from lockstep.ports import Answer, Verdict
from lockstep.storage.batches import Row
from lockstep.storage.dirty import Claim
from lockstep.storage.journal import JournalEntry, SettledOperation
from lockstep.storage.log_record import LogRecord
from lockstep.storage.references import WaitingReference
from lockstep.storage.target_members import UnsureMember
from lockstep.sync.outcome import kept_values
from lockstep.sync.outcome.new_links import becomes_lost, link_after, touches_link, waiting_references
from lockstep.sync.planning.planner import Planned

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
MOST_UNCERTAIN_LOOKS = 8  # with doubling waits, before an application that never answers counts as failed
MOST_LOOKS_AGAIN = 4  # in a row, before an object that keeps conflicting counts as failed
PARKED = "infinity"
AT_ONCE = "-infinity"
LOOK_AGAIN = "LookAgain"
SETTLED = "Settled"
NAMES_DUE = "NamesDue"
# The application's trouble rather than the object's: tried a few times quickly before the long waits begin.
TRANSIENT = frozenset(
    {"InternalServerError", "TooManyRequests", "Timeout", "WebExceptionProtocolError", "FormerOwnerLeaving"}
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that Transaction B writes for one object.

    *unsure_members* (group, member, account) may or may not be in the application's group.
    *postponed* keeps the dirty row (with these columns); without it the object is done. *counted* is "" where the cycle does not
    count it yet. *ends_decisions*: what of the object waited for a decision needs none any more, and what was rejected is not wanted
    any more; *stays_rejected*: it is wanted still.
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
    more_logs: tuple[LogRecord, ...] = ()  # further records, of what was found to have happened before
    postponed: Row | None = None
    waiting: tuple[WaitingReference, ...] | None = None
    unsure_members: tuple[UnsureMember, ...] = ()
    requests: int = 0
    more_counts: Mapping[str, int] = field(default_factory=dict)
    evidence: tuple[
        kept_values.Evidence, ...
    ] = ()  # which of the values that were sent the application kept, and which it left out
    frees: str = ""  # an account that somebody else may be able to get now, or whose name somebody else may
    is_logged: bool = False  # what failed stands in the log already

    @property
    def is_done(self) -> bool:
        return self.postponed is None

    @property
    def failed_now(self) -> Failure | None:
        """Why it goes to the retry list; None where it does not."""
        if self.postponed is None or self.postponed["failures"] <= self.claim.failures:
            return None
        error = self.postponed["last_error"] or {}
        return Failure(str(error.get("code", "")), str(error.get("reason", "")), str(error.get("nextStep", "")))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an object failed, as the log and the retry list show it."""

    code: str
    reason: str
    next_step: str = ""
    account: str = ""  # the account that is somebody else's, of which it waits for

    def as_row(self) -> dict[str, Any]:
        row = {"code": self.code, "reason": self.reason, "nextStep": self.next_step}
        return {**row, "account": self.account} if self.account else row


def without_write(claim: Claim, planned: Planned) -> Outcome:
    """The outcome of a plan that needs no request: in step, linked, released, skipped.

    Time alone may give an account to somebody who has none: a link remembers when, and without one the dirty row does.
    """
    plan = planned.plan
    waits_until = plan.review_at if not planned.prepared.is_linked and plan.link_to is None else None
    return Outcome(
        claim,
        counted=COUNTED[plan.action],
        link=link_after(planned, None) if touches_link(planned) else None,
        takes_over=bool(plan.takes_over_from),
        is_newly_linked=plan.link_to is not None,
        waiting=waiting_references(planned),
        postponed=_scheduled(claim, waits_until) if waits_until is not None else None,
        requests=planned.requests,
        evidence=kept_values.evidence_of(planned, kept_values.judged_reading(planned)),
        frees=_frees(planned),
    )


def _scheduled(claim: Claim, at: datetime) -> Row:
    error = {"code": "Scheduled", "reason": "It is decided again when its time comes", "isScheduled": True}
    return postponed_row(claim, at.isoformat(), failures=0, first=None, error=error)


def _frees(planned: Planned) -> str:
    """The account that its person has left, or that has another name now."""
    plan, mapping = planned.plan, planned.prepared.mapping
    if plan.action in (Action.DISABLE, Action.DELETE, Action.RELEASE):
        return plan.target_id
    matching = {one.target for one in mapping.matching} if mapping is not None else set()
    return plan.target_id if any(change.path in matching for change in plan.changes) else ""


def written(claim: Claim, planned: Planned, operation_id: str, answer: Answer) -> Outcome:
    """The outcome of a write that the application accepted."""
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
        waiting=waiting_references(planned),
        requests=planned.requests + requests_of(answer),
        evidence=kept_values.evidence_of(planned, answer.judged),
        frees=_frees(planned),
    )


def refused(
    claim: Claim,
    planned: Planned | None,
    failure: Failure,
    *,
    moment: Moment,
    settled: tuple[SettledOperation, ...] = (),
    prepared: Prepared | None = None,
    is_unsettled: bool = False,
) -> Outcome:
    """The object's own fault: it goes to the retry list.

    It may be given up only where it is known that it is to have an account, and where nothing that was sent before is open.
    """
    known = planned.prepared if planned is not None else prepared
    may_give_up = known is not None and known.intent.kind is IntentKind.PROVISION and not is_unsettled
    first = claim.first_failed_at or moment.now
    failures = claim.failures + 1
    is_transient = failure.code in TRANSIENT
    most = planned.prepared.configuration.limits.max_retries if planned is not None else None
    quick = QUICK_TRIES if most is None else most
    tries = looks_so_far(claim)
    due = retry_at(
        first,
        failures,
        may_give_up=may_give_up,
        moment=moment,
        transient=is_transient,
        quick_tries=quick,
        tries_before=tries,
    )
    is_soon = is_transient and failures <= quick  # the cycle waits for it
    error = failure.as_row()
    if is_soon and tries:
        error["looks"] = tries
    if planned is not None and _is_about_references(planned):
        error["isReference"] = True
    postponed = postponed_row(
        claim,
        due.isoformat() if due else PARKED,
        failures=failures,
        first=first,
        error=error,
        keeps_cycle=is_soon,
    )
    link = link_after(planned, None) if planned is not None and becomes_lost(planned) else None
    requests = planned.requests if planned else 0
    counted = "" if is_soon else "failed"
    return Outcome(claim, counted=counted, link=link, settled=settled, postponed=postponed, requests=requests)


def _is_about_references(planned: Planned) -> bool:
    """Whether all that was to be changed points at other objects: then the account itself is as it should be."""
    mapping = planned.prepared.mapping
    references = {one.target for one in mapping.flowing if one.is_reference} if mapping is not None else set()
    return bool(planned.plan.changes) and all(change.path in references for change in planned.plan.changes)


def held_back(claim: Claim, planned: Planned, operation: JournalEntry) -> Outcome:
    """Waits for approval: parked until somebody decides or something changes."""
    error = {"code": planned.plan.reason.code, "reason": planned.plan.reason.text, "held": True}
    postponed = postponed_row(claim, PARKED, failures=0, first=None, error=error)
    return Outcome(claim, counted="held", held=operation, postponed=postponed, requests=planned.requests)


def left_rejected(claim: Claim, planned: Planned) -> Outcome:
    """Somebody has decided that it is not sent: nothing to do until something else is planned."""
    return Outcome(claim, counted=COUNTED[Action.SKIP], stays_rejected=True, requests=planned.requests)


def unlinked(outcome: Outcome) -> tuple[SettledOperation, ...]:
    """What is known of the operations of an outcome that cannot be recorded as it is: a create has made some account all the same."""
    if outcome.counted != COUNTED[Action.CREATE]:
        return () if outcome.is_newly_linked and outcome.counted == "" else outcome.settled
    return tuple(SettledOperation(one.id, "ambiguous", request_count=one.request_count) for one in outcome.settled)


def is_undecided(outcome: Outcome) -> bool:
    """Whether the object is looked at again before anything can be said of it."""
    return ((outcome.postponed or {}).get("last_error") or {}).get("code") in (LOOK_AGAIN, SETTLED)


def with_members_due(outcome: Outcome, moment: Moment) -> Outcome:
    """The group's own outcome, its dirty row kept: the members come next, now that the account is on record."""
    error = {
        "code": "MembersDue",
        "reason": "Its members are compared next",
        "members": True,
        "looks": looks_so_far(outcome.claim),
    }
    row = postponed_row(outcome.claim, AT_ONCE, failures=0, first=None, error=error, keeps_cycle=True)
    return replace(outcome, postponed=row)


def with_names_due(outcome: Outcome) -> Outcome:
    """The outcome of a disable, its dirty row kept: the names of the person come next, in a write of their own."""
    error = {"code": NAMES_DUE, "reason": "The account gets the names that its person has now"}
    row = postponed_row(outcome.claim, "-infinity", failures=0, first=None, error=error, keeps_cycle=True)
    return replace(outcome, postponed=row)


def with_names(outcome: Outcome) -> Outcome:
    """The outcome of what came after a disable: its object was counted with that."""
    if (outcome.claim.last_error or {}).get("code") != NAMES_DUE or not outcome.counted:
        return outcome
    return replace(outcome, counted="", more_counts={**outcome.more_counts, outcome.counted: 1})


def members_due(claim: Claim) -> bool:
    """Whether the group's own account was dealt with and counted by the claim before."""
    return bool((claim.last_error or {}).get("members"))


def was_settled(claim: Claim) -> bool:
    """Whether operations with an unknown end were settled by the claim before."""
    return (claim.last_error or {}).get("code") == SETTLED


def requests_of(answer: Answer) -> int:
    """How many requests an answer took; one that was not recorded counts, one that was not needed does not."""
    return answer.reads + (len(answer.exchanges) or int(answer.verdict is not Verdict.DONE_ALREADY))


def wants_look(claim: Claim) -> bool:
    """Whether the object was given back to be looked at."""
    return bool((claim.last_error or {}).get("look"))


def looks_so_far(claim: Claim) -> int:
    """How often in a row the application was asked about the object in vain, before it is done or its long waits begin."""
    return int((claim.last_error or {}).get("looks", 0))


def as_new(claim: Claim) -> Claim:
    """*claim* as if nothing had been asked in vain before."""
    return replace(claim, last_error={**(claim.last_error or {}), "looks": 0})


def postponed_row(
    claim: Claim,
    not_before: str,
    *,
    failures: int,
    first: datetime | None,
    error: Row | None,
    keeps_cycle: bool = False,
) -> Row:
    return {
        "kind": claim.kind,
        "source_id": claim.source_id,
        "attempt": claim.attempt,
        "version": claim.version,
        "not_before": not_before,
        "failures": failures,
        "first_failed_at": first,
        "last_error": error,
        "keeps_cycle": keeps_cycle,
    }
