"""How long to wait before asking again what was asked in vain: the one rule for every question that is asked more than once. Pure.

Every request that brought nothing is counted twice: for the object that it was about, and for its kind (`Asked`) in the whole job.
Each count doubles its pause, and only a success of the same kind sets it back: that a probe passes says nothing of writes. Whoever
repeats a request takes the pause from here, so that no loop can ask at a steady pace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

TOLERATED = (
    9  # unanswered requests of one kind about single objects in a row, before they are the application's trouble
)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)
MOST_PAUSES = (
    6  # in a row for want of an answer to the probe, after which the job is in quarantine: after about five minutes
)
MOST_DOUBLINGS = 20


class Asked(StrEnum):
    """What a request asks for. An answer to one kind proves nothing of the others."""

    PROBE = "probe"
    LISTING = "listing"
    SEARCH = "search"
    GET = "get"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    MEMBERS = "members"


@dataclass(frozen=True, slots=True)
class Streak:
    """Requests of one kind in vain since the last success of that kind.

    *pauses* and *stops*: how many pauses and quarantines came of them, for the whole application.
    """

    failures: int = 0
    pauses: int = 0
    stops: int = 0

    @property
    def breaks(self) -> int:
        """How often everything stood still because of it."""
        return self.pauses + self.stops


NO_STREAK = Streak()


def growing_pause(tries: int, *, first: timedelta = FIRST_PAUSE, longest: timedelta = LONGEST_PAUSE) -> timedelta:
    """The pause after *tries* tries in vain: *first* after one, doubled with each more, never over *longest*; none after none."""
    if tries < 1:
        return timedelta(0)
    doublings = min(tries - 1, MOST_DOUBLINGS)
    return min(longest, first * (1 << doublings))


def asked_in_vain(
    streak: Streak, *, first: timedelta = FIRST_PAUSE, is_enough: bool = True, wanted: timedelta | None = None
) -> tuple[Streak, timedelta]:
    """*streak* with one request more, and the pause for the whole application, 0 for none.

    *is_enough*: it is no question about one object, so that it alone makes a pause. *wanted*: how long the application asked for
    (Retry-After); that is kept, and from the second time in a row on it is at least the growing pause: an application that says
    "0 seconds" each time is not asked again and again.
    """
    failures = streak.failures + 1
    if not is_enough and failures <= TOLERATED:
        return replace(streak, failures=failures), timedelta(0)
    least = growing_pause(streak.pauses + (1 if wanted is None else 0), first=first)
    paused = replace(streak, failures=max(failures, TOLERATED + 1), pauses=streak.pauses + 1)
    return paused, max(least, wanted or timedelta(0))
