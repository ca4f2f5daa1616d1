"""How pauses grow, for each kind of request."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockstep.engine.decisions.patience import NO_STREAK, TOLERATED, Streak, after_failure, growing_pause


@pytest.mark.parametrize(
    ("tries", "seconds"), [(0, 0), (1, 5), (2, 10), (3, 20), (7, 320), (8, 600), (9, 600), (10**9, 600)]
)
def test_each_try_in_vain_doubles_the_pause_up_to_ten_minutes(tries: int, seconds: int) -> None:
    assert growing_pause(tries) == timedelta(seconds=seconds)


def pauses(count: int, **arguments: object) -> list[int]:
    """The pauses in seconds after *count* requests without success."""
    streak, found = NO_STREAK, []
    for _ in range(count):
        streak, pause = after_failure(streak, **arguments)  # type: ignore[arg-type]
        found.append(int(pause.total_seconds()))
    return found


def test_each_question_about_the_whole_application_in_vain_doubles_the_pause() -> None:
    assert pauses(9) == [5, 10, 20, 40, 80, 160, 320, 600, 600]


def test_some_questions_about_single_objects_may_be_in_vain_before_everybody_pauses() -> None:
    assert pauses(TOLERATED + 3, is_enough=False) == [0] * TOLERATED + [5, 10, 20]


def test_what_the_application_asks_for_is_kept_and_at_least_the_growing_pause_from_the_second_time_on() -> None:
    assert pauses(4, wanted=timedelta(0)) == [0, 5, 10, 20]
    assert pauses(3, wanted=timedelta(hours=1)) == [3600, 3600, 3600]


def test_stops_are_kept_while_pauses_are_counted() -> None:
    assert after_failure(Streak(stops=2))[0] == Streak(failures=TOLERATED + 1, pauses=1, stops=2)
