"""Decide how long to wait before a failed request is repeated. All repeated requests follow this one rule. Pure.

Every failed request is counted for its object, and for its `RequestKind` in the whole job. Each failure doubles the pause, and only a
success of the same kind resets it, because a successful probe says nothing about writes. All code that repeats a request takes the pause
from here, so no loop repeats requests at a constant rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

# Up to this number of consecutive unanswered requests about single objects, the application is not paused.
TOLERATED = 9
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)
MOST_PAUSES = 6  # consecutive unanswered probes before the job is quarantined: about five minutes
MOST_DOUBLINGS = 20


class RequestKind(StrEnum):
    """The kind of a request. An answer to one kind proves nothing about the others."""

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
    """Failed requests of one kind since the last success of that kind.

    *pauses* and *stops* count the pauses and quarantines of the whole application that these failures caused.
    """

    failures: int = 0
    pauses: int = 0
    stops: int = 0

    @property
    def breaks(self) -> int:
        """The number of times that these failures stopped the whole application."""
        return self.pauses + self.stops


NO_STREAK = Streak()


def growing_pause(tries: int, *, first: timedelta = FIRST_PAUSE, longest: timedelta = LONGEST_PAUSE) -> timedelta:
    """Return the pause before the next try. *tries* is the number of failed tries. The pause is *first* after one failed try, and doubles
    after each further failed try, up to *longest*. The pause is zero if *tries* is 0.
    """
    if tries < 1:
        return timedelta(0)
    doublings = min(tries - 1, MOST_DOUBLINGS)
    return min(longest, first * (1 << doublings))


def after_failure(
    streak: Streak, *, first: timedelta = FIRST_PAUSE, is_enough: bool = True, wanted: timedelta | None = None
) -> tuple[Streak, timedelta]:
    """Add one failed request to *streak*. Returns the new streak and the pause for the whole application, which may be zero.

    *is_enough* is true if one failure alone causes a pause, because the request does not concern a single object. *wanted* is the pause
    that the application asked for (Retry-After). The pause is at least as long as *wanted*. From the second consecutive failure on, it is
    also at least as long as a growing minimum, because some applications always ask for 0 seconds.
    """
    failures = streak.failures + 1
    if not is_enough and failures <= TOLERATED:
        return replace(streak, failures=failures), timedelta(0)
    least = growing_pause(streak.pauses + (1 if wanted is None else 0), first=first)
    paused = replace(streak, failures=max(failures, TOLERATED + 1), pauses=streak.pauses + 1)
    return paused, max(least, wanted or timedelta(0))
