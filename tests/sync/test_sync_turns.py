"""Every request takes its turn, for all workers together."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from lockstep.engine.decisions.patience import RequestKind
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import transaction
from lockstep.storage import target_state
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.services import Services
from lockstep.sync.turns import FRESH_SECONDS, Clock, SharedTurns
from tests.support.model_target import ModelOpener, ModelTarget, answered
from tests.support.passing_time import PassingClock
from tests.support.sync_world import CONFIG, USERS, World

RATE = 0.01  # requests per second: in the time that a test takes, nothing comes back by itself
SENT_BEFORE_PAID = 4  # by one worker: the queries of the objects under way, and the first request


def workers(world: World, target: ModelTarget, number: int, **more: Any) -> list[Services]:
    opener, times = ModelOpener(target), world.services.times
    return [
        Services(world.pool, world.services.vault, opener, world.drive.wake, times=times, **more) for _ in range(number)
    ]


async def drained_by(world: World, several: list[Services]) -> None:
    await asyncio.gather(*(drain_job(one, world.drive, world.job) for one in several))


async def test_what_one_worker_was_asked_to_wait_for_holds_for_the_others_too(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(300))
    target.seconds = 0.25  # so that much is under way when one is told
    sent: list[str] = []

    def throttle(verb: str, key: str) -> Answer | None:
        sent.append(verb)
        if verb == "create" and len(sent) == 60:
            return answered(Verdict.THROTTLED, status=429, wait=timedelta(hours=1))
        return None

    target.before = throttle
    await world.start()

    await drained_by(world, workers(world, target, 2))

    under_way = 2 * 16  # two workers, each with as many requests at once as it may have
    assert len(sent) < 60 + 3 * under_way  # those under way, and those that began before everybody was told
    await world.rows("update target_state set not_before = now() returning 1")
    await world.rows("update dirty set not_before = '-infinity' returning 1")
    await drained_by(world, workers(world, target, 2))
    assert len(target.people()) == 300


async def test_news_of_another_worker_is_read_before_a_request_that_would_rest_on_older(world: World) -> None:
    passing = PassingClock(world.pool)
    turns = SharedTurns(world.pool, world.job, None, passing.clock)
    assert await turns.spend() == 0
    async with transaction(world.pool) as connection:
        await target_state.count_failure(
            connection, world.job, RequestKind.GET, {},
            first_pause=timedelta(seconds=1), is_enough=True, wanted=timedelta(seconds=60),
        )  # fmt: skip

    assert await turns.spend() == 0  # what was read a moment ago is new enough
    passing.seconds += 2 * FRESH_SECONDS

    assert await turns.spend() > 50


async def test_each_query_of_a_look_takes_a_turn(world: World, target: ModelTarget) -> None:
    by_two = [*USERS["attributes"], {"target": "externalId", "source": "employeeId", "match": 2}]
    config = {**CONFIG, "mappings": [{**USERS, "attributes": by_two}]}
    await world.configure(config)
    await world.sync()
    await world.configure({**config, "limits": {"requestsPerSecond": RATE, "concurrency": 2}})
    await world.rows("update target_state set tokens = 0, tokens_at = now() returning 1")
    await world.add_people(range(10), employeeId="7")
    target.requests.clear()
    passing = PassingClock(world.pool)

    await drained_by(world, workers(world, target, 2, clock=Clock(sleep=passing.sleep)))

    assert target.requests["find"] >= 20
    assert target.requests.total() <= 2 * SENT_BEFORE_PAID + passing.seconds * RATE


async def test_workers_share_one_rate_budget(world: World, target: ModelTarget) -> None:
    await world.configure({**CONFIG, "limits": {"requestsPerSecond": RATE, "concurrency": 2}})
    await world.add_people(range(30))
    await world.start()
    passing = PassingClock(world.pool)

    await drained_by(world, workers(world, target, 3, clock=Clock(sleep=passing.sleep)))

    assert len(target.people()) == 30
    assert target.requests.total() <= 3 * SENT_BEFORE_PAID + passing.seconds * RATE


async def test_turns_that_were_not_waited_for_are_paid_by_those_who_wait(world: World) -> None:
    passing = PassingClock(world.pool)
    turns = SharedTurns(world.pool, world.job, RATE, passing.clock)
    await turns.wait()
    for _ in range(26):
        assert await turns.spend() == 0
    passing.seconds = 0.0

    await turns.wait()

    assert 25 <= round(passing.seconds * RATE) <= 27


async def test_nothing_is_sent_while_the_database_does_not_answer(world: World) -> None:
    turns = SharedTurns(world.pool, world.job, None)
    await world.pool.close()

    assert await turns.spend() > 0
