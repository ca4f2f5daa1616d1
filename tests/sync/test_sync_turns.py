"""Every request takes its turn, for all workers together."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

from lockstep.engine.decisions.patience import Asked
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import transaction
from lockstep.storage import target_state
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.services import Services
from lockstep.sync.turns import SharedTurns
from tests.support.model_target import ModelOpener, ModelTarget, answered
from tests.support.sync_world import CONFIG, USERS, World

PROPAGATION = timedelta(milliseconds=100)


def workers(world: World, target: ModelTarget, number: int) -> list[Services]:
    return [
        Services(world.pool, world.services.vault, ModelOpener(target), world.drive.wake, times=world.services.times)
        for _ in range(number)
    ]


async def drained_by(world: World, several: list[Services]) -> None:
    await asyncio.gather(*(drain_job(one, world.drive, world.job) for one in several))


async def test_what_one_worker_was_asked_to_wait_for_holds_for_the_others_too(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(150))
    took = timedelta(seconds=0.25)  # so that much is under way when one is told
    target.seconds = took.total_seconds()
    sent: list[datetime] = []
    refused: list[datetime] = []

    def throttle(verb: str, key: str) -> Answer | None:
        sent.append(datetime.now(UTC) - took)
        if verb == "create" and len(sent) == 60:
            refused.append(datetime.now(UTC))
            return answered(Verdict.THROTTLED, status=429, retry_at=refused[-1] + timedelta(seconds=0.7))
        return None

    target.before = throttle
    await world.start()

    await drained_by(world, workers(world, target, 2))

    assert len(target.people()) == 150
    (at,) = refused
    assert [one for one in sent if at + PROPAGATION < one < at + timedelta(seconds=0.7)] == []


async def test_news_of_another_worker_is_read_before_a_request_that_would_rest_on_older(world: World) -> None:
    turns = SharedTurns(world.pool, world.job, None)
    assert await turns.spend() == 0
    async with transaction(world.pool) as connection:
        await target_state.count_failure(
            connection, world.job, Asked.GET, {},
            first_pause=timedelta(seconds=1), is_enough=True, wanted=timedelta(seconds=60),
        )  # fmt: skip
    told_at = time.monotonic()

    while not await turns.spend():
        assert time.monotonic() - told_at < PROPAGATION.total_seconds()

    assert turns.quiet_seconds > 50


async def test_each_query_of_a_look_takes_a_turn(world: World, target: ModelTarget) -> None:
    by_two = [*USERS["attributes"], {"target": "externalId", "source": "employeeId", "match": 2}]
    config = {**CONFIG, "mappings": [{**USERS, "attributes": by_two}]}
    await world.configure(config)
    await world.sync()
    await world.configure({**config, "limits": {"requestsPerSecond": 50}})
    await world.rows("update target_state set tokens = 0, tokens_at = now() returning 1")
    await world.add_people(range(30), employeeId="7")
    target.requests.clear()
    began = time.monotonic()

    await drained_by(world, workers(world, target, 2))

    seconds = time.monotonic() - began
    assert target.requests["find"] >= 60
    assert seconds > 0.9 * (target.requests.total() - 50) / 50  # one second's worth may go at once


async def test_turns_that_were_not_waited_for_are_paid_by_those_who_wait(world: World) -> None:
    turns = SharedTurns(world.pool, world.job, 50.0)
    await turns.wait()
    for _ in range(26):
        assert await turns.spend() == 0
    began = time.monotonic()

    await turns.wait()

    assert time.monotonic() - began > 0.3


async def test_nothing_is_sent_while_the_database_does_not_answer(world: World) -> None:
    turns = SharedTurns(world.pool, world.job, None)
    await world.pool.close()

    assert await turns.spend() > 0
