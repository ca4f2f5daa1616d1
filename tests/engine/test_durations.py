"""Durations counted by length, and their percentiles."""

from __future__ import annotations

from collections import Counter

import pytest

from lockstep.engine.durations import counted_lengths, percentile


@pytest.mark.parametrize("seconds", [0.001, 0.012, 0.4, 3.0, 61.0, 7_200.0, 900_000.0])
def test_percentile_is_within_six_percent_of_the_duration(seconds: float) -> None:
    assert percentile(counted_lengths([seconds]), 0.95) == pytest.approx(seconds, rel=0.06)


def test_p95_is_exceeded_by_one_of_twenty_and_the_median_by_half() -> None:
    counts = counted_lengths([1.0] * 10 + [10.0] * 9 + [1_000.0])

    assert percentile(counts, 0.5) == pytest.approx(1, rel=0.06)
    assert percentile(counts, 0.95) == pytest.approx(10, rel=0.06)
    assert percentile(counts, 1) == pytest.approx(1_000, rel=0.06)


def test_sum_of_two_periods_has_the_percentiles_of_all_their_durations() -> None:
    first, second = counted_lengths([1.0] * 94), counted_lengths([100.0] * 6)

    both = Counter(first) + Counter(second)

    assert both == counted_lengths([1.0] * 94 + [100.0] * 6)
    assert percentile(both, 0.95) == pytest.approx(100, rel=0.06)


def test_no_duration_has_no_percentile() -> None:
    assert percentile({}, 0.95) is None


def test_clock_that_went_back_counts_as_the_shortest_duration() -> None:
    assert counted_lengths([-5.0, 0.0]) == {0: 2}
