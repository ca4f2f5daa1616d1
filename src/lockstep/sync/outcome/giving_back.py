"""Outcomes that return an object to the queue without a result, with the time when it is due again. Pure.

Each object has its own pause, which doubles with each consecutive failed request (`patience`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from lockstep.engine.decisions.patience import growing_pause
from lockstep.engine.decisions.plan_new import UNDER_WAY
from lockstep.engine.moment import Moment
from lockstep.ports import Answer
from lockstep.storage.dirty import Claim, Due, Postponement
from lockstep.storage.journal import SettledOperation
from lockstep.storage.preview_objects import PreviewedObject
from lockstep.storage.resume import Resume, ShownError, Stage
from lockstep.sync.outcome.outcomes import MOST_UNCERTAIN_LOOKS, Failure, Outcome, refused
from lockstep.sync.planning.planner import PlanResult

LOOK_AGAIN = "LookAgain"
RIVAL_WAIT = timedelta(seconds=0.1)  # doubles each time


def look_again(
    claim: Claim,
    reason: str,
    *,
    after: timedelta,
    moment: Moment,
    settled: tuple[SettledOperation, ...],
    requests: int,
    is_reread: bool = False,
    is_first_at_once: bool = False,
) -> Outcome:
    """Return an outcome that postpones the object. After a pause, the account is read and the object is planned again. The pause doubles
    each time.

    *is_reread* is true if the response was unambiguous and a fresh read will probably solve the problem. If *is_first_at_once* is true,
    there is no pause the first time.
    """
    looks, rereads = claim.resume.looks + 1, claim.resume.rereads + is_reread
    pause = growing_pause(looks - 1 if is_first_at_once else looks, first=after)
    resume = Resume(Stage.LOOK_AGAIN, looks=looks, rereads=rereads, did=claim.resume.did)
    due = moment.now + pause if pause else Due.AT_ONCE
    postponed = _given_back(claim, due, resume, ShownError(LOOK_AGAIN, reason))
    return Outcome(claim, settled=settled, postponed=postponed, requests=requests)


def after_rival(claim: Claim, planned: PlanResult | None, reason: str, *, moment: Moment, requests: int) -> Outcome:
    """Return an outcome that postpones the object, because another object took the account first. By the next try, the outcome of the other
    object will have been recorded. After too many tries, the outcome is a failure, and the postponed object is retried like any other
    failed object.
    """
    if claim.resume.looks >= MOST_UNCERTAIN_LOOKS:
        failure = Failure(UNDER_WAY, reason, "Nothing to do: Lockstep retries.")
        return refused(claim, planned, failure, moment=moment)
    return look_again(claim, reason, after=RIVAL_WAIT, moment=moment, settled=(), requests=requests)


def put_off(
    claim: Claim,
    answer: Answer,
    *,
    first: timedelta,
    moment: Moment,
    settled: tuple[SettledOperation, ...] = (),
    requests: int,
) -> Outcome:
    """Return an outcome that postpones the object. The application did not accept the request (busy, unreachable, not allowed), so nothing
    happened.

    The pause doubles with each consecutive try, and *answer* may ask for a longer one. The object did not cause this, so it never counts as
    failed. After many tries, however, the cycle no longer waits for the object.
    """
    tries = claim.resume.looks + 1
    due = max(moment.now + growing_pause(tries, first=first), moment.now + (answer.wait or timedelta(0)))
    is_fresh = claim.resume.stage is Stage.FRESH
    resume = replace(claim.resume, looks=tries, stage=Stage.UNANSWERED if is_fresh else claim.resume.stage)
    is_worn_out = tries > MOST_UNCERTAIN_LOOKS
    error = claim.last_error or ShownError(LOOK_AGAIN, answer.detail)
    postponed = _given_back(claim, due, resume, error, keeps_cycle=not is_worn_out)
    counted = "postponed" if is_worn_out else ""
    return Outcome(claim, counted=counted, settled=settled, postponed=postponed, requests=requests)


def not_sent(claim: Claim, *, due: datetime | None, settled: tuple[SettledOperation, ...] = ()) -> Outcome:
    """Return an outcome that releases the object unchanged. The object becomes due at the time *due*, or at once if *due* is None. No
    request was sent, because the process stops or the application asked for a pause.
    """
    postponed = _given_back(claim, due or Due.AT_ONCE, claim.resume, claim.last_error)
    return Outcome(claim, settled=settled, postponed=postponed)


def slowed(claim: Claim, *, due: datetime) -> Outcome:
    """Return an outcome that postpones the object until *due*, because too many objects of the job fail. An object that failed before keeps
    its error.
    """
    error = claim.last_error or ShownError("Quarantine", "Waits for the end of the quarantine")
    postponed = _given_back(claim, due, replace(claim.resume, is_slowed=True), error, keeps_cycle=False)
    return Outcome(claim, counted="postponed", postponed=postponed)


def planned_next(claim: Claim, postponed: Postponement, *, settled: tuple[SettledOperation, ...]) -> Outcome:
    """Return an outcome that records how the object's open operations ended. The object is planned again as *postponed* says."""
    return Outcome(claim, settled=settled, postponed=postponed)


def left_as_it_is(
    claim: Claim, postponed: Postponement, *, counted: str, requests: int, left: PreviewedObject | None = None
) -> Outcome:
    """Return an outcome that leaves the object for a later cycle. *left* is its new plan, to be listed with the preview."""
    return Outcome(claim, counted=counted, left=left, postponed=postponed, requests=requests)


def without_object(claim: Claim) -> Outcome:
    """Return the outcome of an object that is no longer in the directory and never had an account."""
    return Outcome(claim, counted="unchanged")


def _given_back(
    claim: Claim, due: datetime | Due, resume: Resume, error: ShownError | None, *, keeps_cycle: bool = True
) -> Postponement:
    """Return a postponement of the object. The failure count of the object and the time of its first failure are kept."""
    return Postponement(claim, due, resume, error, claim.failures, claim.first_failed_at, keeps_cycle)
