"""Decide how long to wait before repeating a request that failed: the one rule for all repeated requests. Pure.

Every failed request counts twice: for its object, and for its kind (`Asked`) in the whole job. Each failure doubles the pause, and
only a success of the same kind resets it: a successful probe says nothing about writes. All code that repeats a request takes the
pause from here, so no loop can repeat requests at a constant rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

# Up to this many consecutive unanswered requests of one kind about single objects do not pause the application.
TOLERATED = 9
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)
MOST_PAUSES = 6  # consecutive unanswered probes before the job is quarantined: about five minutes
MOST_DOUBLINGS = 20


class Asked(StrEnum):
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
    """Failed requests of one kind since its last success.

    *pauses* and *stops* count the resulting pauses and quarantines of the whole application.
    """

    failures: int = 0
    pauses: int = 0
    stops: int = 0

    @property
    def breaks(self) -> int:
        """How often these failures stopped the whole application."""
        return self.pauses + self.stops


NO_STREAK = Streak()


def growing_pause(tries: int, *, first: timedelta = FIRST_PAUSE, longest: timedelta = LONGEST_PAUSE) -> timedelta:
    """Return the pause after *tries* failed tries: *first* after one, then doubled for each further one, up to *longest*. Zero if *tries*
    is 0.
    """
    if tries < 1:
        return timedelta(0)
    doublings = min(tries - 1, MOST_DOUBLINGS)
    return min(longest, first * (1 << doublings))


def after_failure(
    streak: Streak, *, first: timedelta = FIRST_PAUSE, is_enough: bool = True, wanted: timedelta | None = None
) -> tuple[Streak, timedelta]:
    """Add one failed request to *streak*. Returns the new streak, and the pause for the whole application (zero for none).

    *is_enough* is true if the request does not concern a single object, so that one failure alone causes a pause. *wanted* is the pause
    that the application asked for (Retry-After). It is obeyed, but from the second consecutive time on the pause is at least the growing
    one: an application that always says "0 seconds" must not be asked again and again.
    """
    failures = streak.failures + 1
    if not is_enough and failures <= TOLERATED:
        return replace(streak, failures=failures), timedelta(0)
    least = growing_pause(streak.pauses + (1 if wanted is None else 0), first=first)
    paused = replace(streak, failures=max(failures, TOLERATED + 1), pauses=streak.pauses + 1)
    return paused, max(least, wanted or timedelta(0))
