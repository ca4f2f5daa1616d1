"""Decide when a failed object is tried again. Each wait counts from the *first* failure, not from the last.

Only creates and updates are ever given up. Everything else is tried until it succeeds, because leavers must lose access even if the
application was down for a month, or if planning failed before the operation was known.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

from lockstep.engine.decisions.patience import growing_pause
from lockstep.engine.moment import Moment

LADDER = (timedelta(hours=6), timedelta(hours=12), timedelta(hours=24))
DAY = timedelta(hours=24)
GIVE_UP_AFTER = timedelta(days=28)
QUICK_TRIES = 5
FIRST_QUICK_WAIT = timedelta(seconds=1)
LONGEST_QUICK_WAIT = timedelta(seconds=60)


def retry_at(
    first_failed_at: datetime,
    failures: int,
    *,
    may_give_up: bool,
    moment: Moment,
    transient: bool = False,
    quick_tries: int = QUICK_TRIES,
    tries_before: int = 0,
) -> datetime | None:
    """Return when a failed object is tried again, or None to give up. *failures* counts from 1. Times are aware UTC.

    Waits 6 h, 12 h, 24 h, then every 24 h, each counted from the *first* failure. Gives up after 28 days if *may_give_up* is true.

    After a *transient* failure (the application was down or busy), the first *quick_tries* tries follow after random waits of up to 1, 2,
    4, ... 60 seconds. *tries_before* counts earlier tries with pauses of a different kind. If it is not 0, the quick waits are not random,
    and each of these earlier tries doubles them.
    """
    if transient and failures <= quick_tries:
        if tries_before:
            return moment.now + growing_pause(tries_before + failures, first=FIRST_QUICK_WAIT)
        return moment.now + timedelta(seconds=_quick_wait(failures, moment))
    at = next(time for time in _ladder(first_failed_at) if time > moment.now)
    gave_up = at - first_failed_at > GIVE_UP_AFTER
    return None if gave_up and may_give_up else at


def _ladder(first_failed_at: datetime) -> Iterator[datetime]:
    for wait in LADDER:
        yield first_failed_at + wait
    for days in count(2):
        yield first_failed_at + days * DAY


def _quick_wait(failures: int, moment: Moment) -> float:
    # Full jitter: a thousand objects that failed together must not be retried together.
    longest = growing_pause(failures, first=FIRST_QUICK_WAIT, longest=LONGEST_QUICK_WAIT).total_seconds()
    draw = int.from_bytes(moment.random_bytes(f"retry|{failures}", 4)) / 2**32
    return longest * draw
