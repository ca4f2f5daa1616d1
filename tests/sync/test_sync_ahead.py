"""How many objects a drain claims in advance, and how long outcomes wait to be recorded together."""

from __future__ import annotations

import asyncio

import pytest

from lockstep.sync.drain.work import FEWEST_PER_SENDER, MOST_PER_SENDER, Ahead, Batches

SENDERS = 16


def most_after(*seconds: float) -> int:
    ahead = Ahead(SENDERS)
    for one in seconds:
        ahead.note(one)
    return ahead.most


@pytest.mark.parametrize(
    ("seconds", "for_each_sender"), [(0.001, MOST_PER_SENDER), (0.05, 10), (0.1, 5), (1.0, FEWEST_PER_SENDER)]
)
def test_as_many_are_claimed_as_are_sent_within_half_a_second(seconds: float, for_each_sender: int) -> None:
    assert most_after(*[seconds] * 1_000) == pytest.approx(for_each_sender * SENDERS, abs=SENDERS)


def test_few_are_claimed_before_the_application_has_answered() -> None:
    assert most_after() == FEWEST_PER_SENDER * SENDERS


def test_application_that_becomes_slow_soon_gets_only_the_fewest() -> None:
    assert most_after(*[0.01] * 1_000, *[5.0] * SENDERS) == FEWEST_PER_SENDER * SENDERS


async def test_batch_waits_for_more_items_until_it_is_full() -> None:
    batches: Batches[int] = Batches(most=3, wait_seconds=3600)
    taking = asyncio.create_task(batches.take())

    for number in range(4):
        batches.put(number)

    assert await taking == [0, 1, 2]


async def test_batch_does_not_wait_if_no_more_items_will_come() -> None:
    batches: Batches[int] = Batches(most=3, wait_seconds=3600)
    taking = asyncio.create_task(batches.take())

    batches.put(1)
    batches.hurry()

    assert await taking == [1]


async def test_batch_after_a_hurried_one_waits_again() -> None:
    batches: Batches[int] = Batches(most=3, wait_seconds=0.01)
    batches.put(1)
    batches.hurry()
    assert await batches.take() == [1]
    batches.hurry()

    taking = asyncio.create_task(batches.take())
    batches.put(2)
    await asyncio.sleep(0)
    batches.put(3)

    assert await taking == [2, 3]
