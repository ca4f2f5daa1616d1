"""The outcomes that give an object back before anything is decided, each with when it is due. Pure.

Whatever was asked in vain goes through here: the pause is the object's own, and doubles with each try in a row (`patience`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lockstep.engine.decisions.patience import growing_pause
from lockstep.engine.moment import Moment
from lockstep.ports import Answer
from lockstep.storage.batches import Row
from lockstep.storage.dirty import Claim
from lockstep.storage.journal import SettledOperation
from lockstep.sync.outcome.outcomes import (
    AT_ONCE,
    LOOK_AGAIN,
    MOST_UNCERTAIN_LOOKS,
    Outcome,
    looks_so_far,
    postponed_row,
)


def look_again(
    claim: Claim,
    reason: str,
    *,
    after: timedelta,
    moment: Moment,
    settled: tuple[SettledOperation, ...],
    requests: int,
    is_first_at_once: bool = False,
) -> Outcome:
    """Nothing is decided: the object is planned again, by looking at the application, after a pause that doubles each time.

    *is_first_at_once*: the answer was clear, and a fresh look most likely mends it; only what comes of that again has to wait.
    """
    looks = looks_so_far(claim) + 1
    pause = growing_pause(looks - 1 if is_first_at_once else looks, first=after)
    due = (moment.now + pause).isoformat() if pause else AT_ONCE
    did = str((claim.last_error or {}).get("did") or "")
    error: Row = {"code": LOOK_AGAIN, "reason": reason, "looks": looks, "look": True} | ({"did": did} if did else {})
    postponed = postponed_row(
        claim, due, failures=claim.failures, first=claim.first_failed_at, error=error, keeps_cycle=True
    )
    return Outcome(claim, settled=settled, postponed=postponed, requests=requests)


def put_off(
    claim: Claim,
    answer: Answer,
    *,
    first: timedelta,
    moment: Moment,
    settled: tuple[SettledOperation, ...] = (),
    requests: int,
) -> Outcome:
    """The application took no request (busy, not there, not allowed): nothing happened, and the object waits for its turn.

    Each time in a row doubles its own pause, and *answer* may ask for a longer one. It never counts as failed, for that is no fault
    of the object: but the cycle does not wait for it for ever.
    """
    tries = looks_so_far(claim) + 1
    due = max(moment.now + growing_pause(tries, first=first), answer.retry_at or moment.now)
    error = {"code": LOOK_AGAIN, "reason": answer.detail, **(claim.last_error or {}), "looks": tries}
    is_worn_out = tries > MOST_UNCERTAIN_LOOKS
    postponed = postponed_row(
        claim,
        due.isoformat(),
        failures=claim.failures,
        first=claim.first_failed_at,
        error=error,
        keeps_cycle=not is_worn_out,
    )
    counted = "postponed" if is_worn_out else ""
    return Outcome(claim, counted=counted, settled=settled, postponed=postponed, requests=requests)


def not_sent(claim: Claim, *, due: datetime | None, settled: tuple[SettledOperation, ...] = ()) -> Outcome:
    """Nothing was asked (stopping, or the application wants quiet): the object is free again as it was, due at once or at *due*."""
    postponed = postponed_row(
        claim,
        due.isoformat() if due else AT_ONCE,
        failures=claim.failures,
        first=claim.first_failed_at,
        error=claim.last_error,
        keeps_cycle=True,
    )
    return Outcome(claim, settled=settled, postponed=postponed)


def slowed(claim: Claim, *, due: datetime) -> Outcome:
    """Too many fail, so what gives or changes accounts waits until *due*; what failed before keeps its own reason."""
    error = {
        **(claim.last_error or {"code": "Quarantine", "reason": "Waits for the end of the quarantine"}),
        "isSlowed": True,
    }
    postponed = postponed_row(
        claim, due.isoformat(), failures=claim.failures, first=claim.first_failed_at, error=error, keeps_cycle=False
    )
    return Outcome(claim, counted="postponed", postponed=postponed)
