"""When a failed object is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockstep.engine.decisions.retry import retry_at
from lockstep.engine.moment import Moment
from tests.engine.decision_cases import NOW


def hours_until(hours_since_first: float, failures: int, *, may_give_up: bool = True) -> float | None:
    moment = Moment(NOW + timedelta(hours=hours_since_first), b"s")
    at = retry_at(NOW, failures, may_give_up=may_give_up, moment=moment)
    return None if at is None else (at - NOW) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("since_first", "failures", "next_try"),
    [
        (0, 1, 6),
        (6, 2, 12),
        (12, 3, 24),
        (24, 4, 48),
        (48, 5, 72),
        (0.5, 2, 6),
        (7, 2, 12),
        (100, 3, 120),
        (27 * 24, 30, 28 * 24),
        (28 * 24, 31, None),
        (40 * 24, 32, None),
    ],
)
def test_waits_count_from_the_first_failure_and_end_after_28_days(
    since_first: float, failures: int, next_try: float | None
) -> None:
    assert hours_until(since_first, failures) == next_try


def test_what_may_not_be_given_up_is_tried_daily_for_ever() -> None:
    assert hours_until(28 * 24, 31, may_give_up=False) == 29 * 24
    assert hours_until(365 * 24, 400, may_give_up=False) == 366 * 24


@pytest.mark.parametrize(("failures", "longest"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16)])
def test_transient_failure_is_tried_again_within_seconds(failures: int, longest: int) -> None:
    for seed in (b"a", b"b", b"c"):
        at = retry_at(NOW, failures, may_give_up=True, moment=Moment(NOW, seed), transient=True)

        assert at is not None
        assert timedelta(0) <= at - NOW <= timedelta(seconds=longest)


def test_transient_failures_do_not_come_back_together() -> None:
    waits = {retry_at(NOW, 5, may_give_up=True, moment=Moment(NOW, bytes([n])), transient=True) for n in range(50)}

    assert len(waits) > 40


def test_sixth_transient_failure_waits_like_any_other() -> None:
    assert retry_at(NOW, 6, may_give_up=True, moment=Moment(NOW, b"s"), transient=True) == NOW + timedelta(hours=6)
