"""How long to wait before asking again what was not answered: the one rule for every question that is asked more than once. Pure.

Whoever repeats a request takes the pause from here, so that no loop can ask at a steady pace: each unanswered try doubles the pause.
"""

from __future__ import annotations

from datetime import timedelta

TOLERATED = 9  # unanswered requests about single objects in a row, before they are the application's trouble
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)
MOST_PAUSES = 6  # in a row, after which the job is in quarantine: after about five minutes
MOST_DOUBLINGS = 20


def growing_pause(tries: int, *, first: timedelta = FIRST_PAUSE, longest: timedelta = LONGEST_PAUSE) -> timedelta:
    """The pause after *tries* tries in vain: *first* after one, doubled with each more, never over *longest*; none after none."""
    if tries < 1:
        return timedelta(0)
    doublings = min(tries - 1, MOST_DOUBLINGS)
    return min(longest, first * (1 << doublings))
