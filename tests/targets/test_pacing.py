"""Respect the rate that an application allows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from lockstep.targets.pacing import Bucket, Pace, TooSoon, read_retry_after

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)


def sent_within(bucket: Bucket, seconds: float, *, start: float = 0.0) -> int:
    """How many turns a sender without pauses gets within *seconds*."""
    now, count = start, 0
    while now < start + seconds:
        try:
            wait = bucket.reserve(now, longest_wait=1000)
        except TooSoon:
            break
        now += wait
        count += now < start + seconds
    return count


def test_rate_is_used_in_full_and_not_exceeded() -> None:
    assert sent_within(Bucket(25, now=0.0), 10) in range(250, 264)  # half a second's worth may go at once


def test_without_a_rate_nobody_waits() -> None:
    bucket = Bucket(None, now=0.0)

    assert [bucket.reserve(0.0, longest_wait=0) for _ in range(1000)] == [0.0] * 1000


def test_turn_that_comes_too_late_is_refused_and_costs_nothing() -> None:
    bucket = Bucket(1, now=0.0)
    bucket.reserve(0.0, longest_wait=0)

    for _ in range(5):
        with pytest.raises(TooSoon):
            bucket.reserve(0.0, longest_wait=0.1)

    assert bucket.reserve(0.6, longest_wait=0.1) <= 0.1


def test_nothing_is_sent_before_retry_after_has_passed() -> None:
    bucket = Bucket(None, now=0.0)
    bucket.reserve(0.0, longest_wait=0)

    bucket.refused(1.0, retry_after=7.0)

    with pytest.raises(TooSoon) as early:
        bucket.reserve(2.0, longest_wait=2.0)
    assert early.value.wait_seconds == 6.0
    assert bucket.reserve(7.0, longest_wait=2.0) == 1.0


def test_refusal_halves_the_rate_once_however_many_were_under_way() -> None:
    bucket = Bucket(40, now=0.0)

    for _ in range(10):
        bucket.refused(1.0, retry_after=1.0)

    assert bucket.rate == 20


def test_rate_recovers_to_its_ceiling_and_no_further() -> None:
    bucket = Bucket(40, now=0.0)
    bucket.refused(0.0, retry_after=0.5)

    bucket.reserve(600.0, longest_wait=1)

    assert bucket.rate == 40


def test_unlimited_application_that_refused_is_unlimited_again_after_a_while() -> None:
    bucket = Bucket(None, now=0.0)
    bucket.refused(0.0, retry_after=0.5)
    assert bucket.rate is not None

    bucket.reserve(600.0, longest_wait=1)

    assert bucket.rate is None


def test_pause_doubles_while_an_application_without_retry_after_refuses_and_starts_short_again() -> None:
    bucket = Bucket(None, now=0.0)

    pauses = [bucket.refused(at, retry_after=None) for at in (0.0, 10.0, 20.0, 30.0)]
    bucket.accepted()

    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert bucket.refused(100.0, retry_after=None) == 1.0


async def test_turn_that_was_waited_for_is_not_taken_into_a_pause_that_began_meanwhile() -> None:
    pace = Pace(10, 4)
    taken: list[str] = []

    async def take() -> None:
        async with pace.turn(longest_wait=2):
            taken.append("turn")

    early = [asyncio.create_task(take()) for _ in range(4)]
    await asyncio.gather(*early)
    late = [asyncio.create_task(take()) for _ in range(4)]
    await asyncio.sleep(0)
    before = len(taken)
    pace.slow_down(30)
    ended = await asyncio.gather(*late, return_exceptions=True)

    assert len(taken) == before
    assert [type(one) for one in ended if one is not None] == [TooSoon] * (8 - before)


async def test_no_more_requests_at_once_than_the_application_takes() -> None:
    pace = Pace(None, 3)
    inside = most = 0

    async def take() -> None:
        nonlocal inside, most
        async with pace.turn(longest_wait=2):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(take() for _ in range(20)))

    assert most == 3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("Thu, 12 Mar 2026 09:01:30 GMT", 90),
        ("Thu, 12 Mar 2026 08:00:00 GMT", 0),
        ("99999999999999999999", 86400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(header: str, seconds: int) -> None:
    assert read_retry_after(header, NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("header", ["", "soon", "-5", "1.5", "٣", "Thu, 99 Mar"])
def test_unreadable_retry_after_is_none(header: str) -> None:
    assert read_retry_after(header, NOW) is None
