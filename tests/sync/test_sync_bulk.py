"""Creates that share a bulk request: how many do, and what happens to each if the application, the network or the worker fails."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from lockstep.ports import Answer, Verdict
from lockstep.sync.drain import sharing
from lockstep.sync.drain.drain import drain_job
from tests.support.crashes import Lossy, end_leases
from tests.support.model_target import USER, ModelTarget, answered
from tests.support.sync_world import CONFIG, World, upn

FEW_SENDERS = {**CONFIG, "limits": {"concurrency": 2}}


@pytest.fixture(autouse=True)
async def bulk(world: World, target: ModelTarget) -> None:
    target.most_creates = 1000
    await world.configure(FEW_SENDERS)


async def states(world: World) -> dict[str, int]:
    return dict(await world.rows("select state, count(*) from operation group by 1"))


async def test_initial_cycle_needs_one_request_for_many_creates(world: World, target: ModelTarget) -> None:
    await world.add_people(range(300))

    cycle = await world.sync()

    assert len(target.people()) == 300
    assert (cycle.counts["created"], cycle.state) == (300, "succeeded")
    sent = target.requests["create"] + target.requests["bulk"]
    assert sent < 25
    assert cycle.requests == sent + target.requests["page"]
    assert await states(world) == {"confirmed": 300}


async def test_every_create_has_its_own_log_record_and_journal_entry(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))

    await world.sync()

    assert target.requests["bulk"] > 0
    records = await world.rows(
        "select source_id, change_id from provisioning_log where action = 'create' and status = 'success'"
    )
    assert len({source for source, _ in records}) == 40
    assert {str(change) for _, change in records} == set(target.operations)


async def test_few_creates_are_sent_alone(world: World, target: ModelTarget) -> None:
    await world.configure(CONFIG)  # 16 senders
    await world.add_people(range(10))

    await world.sync()

    assert (target.requests["create"], target.requests["bulk"]) == (10, 0)


@pytest.mark.parametrize(("limit", "largest"), [(1, 0), (5, 5)])
async def test_no_request_carries_more_creates_than_the_configuration_allows(
    world: World, target: ModelTarget, limit: int, largest: int
) -> None:
    await world.configure({**CONFIG, "limits": {"concurrency": 2, "createsPerRequest": limit}})
    sizes: list[int] = []
    target.before = lambda verb, key: sizes.append(int(key)) if verb == "bulk" else None
    await world.add_people(range(60))

    await world.sync()

    assert len(target.people()) == 60
    assert max(sizes, default=0) == largest


async def test_slow_application_gets_small_bulk_requests(
    world: World, target: ModelTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LONGEST_SECONDS", 0.1)
    sizes: list[int] = []

    def slow(verb: str, key: str) -> None:
        if verb == "bulk":
            sizes.append(int(key))
            target.seconds = 0.15  # for the next request: longer than one should take

    target.before = slow
    await world.add_people(range(60))

    await world.sync()

    assert len(target.people()) == 60
    _, _, *later = sizes  # two senders begin before anything is known
    assert later
    assert max(later) <= 10


async def test_leavers_and_changes_are_sent_alone(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))
    await world.sync()
    before = target.requests["bulk"]
    await world.unassign(range(3))
    await world.change(range(3, 40), surname="Renamed")

    await world.drain()

    assert target.requests["bulk"] == before
    assert target.requests["update"] == 40
    assert sum(not one["active"] for one in target.people().values()) == 3


async def test_one_refused_create_fails_alone(world: World, target: ModelTarget) -> None:
    target.before = lambda verb, key: (
        answered(Verdict.REFUSED, status=400, code="UnprocessableEntity", detail="bad") if key == upn(7) else None
    )
    await world.add_people(range(40))

    cycle = await world.sync()

    assert target.requests["bulk"] > 0
    assert (cycle.counts["created"], cycle.counts["failed"]) == (39, 1)
    assert upn(7) not in target.people()
    assert await states(world) == {"confirmed": 39, "refused": 1}


async def test_lost_answer_to_a_bulk_request_makes_no_account_twice(world: World, target: ModelTarget) -> None:
    lost = [True]
    target.is_unique = False  # the application would not refuse a second account
    target.after = lambda verb, key: answered(Verdict.AMBIGUOUS) if verb == "bulk" and lost and lost.pop() else None
    await world.add_people(range(40))

    cycle = await world.sync()

    assert not lost
    assert len(target.accounts[USER]) == 40
    assert cycle.state == "succeeded"
    assert (await states(world))["confirmed"] == 40


async def test_bulk_request_that_never_arrived_is_sent_again_after_searching(world: World, target: ModelTarget) -> None:
    lost = [True]
    target.is_unique = False
    target.before = lambda verb, key: answered(Verdict.AMBIGUOUS) if verb == "bulk" and lost and lost.pop() else None
    await world.add_people(range(40))

    await world.sync()

    assert not lost
    assert len(target.people()) == 40
    assert (await states(world)).keys() == {"confirmed", "dropped"}


async def test_worker_that_dies_during_a_bulk_request_leaves_no_account_twice(
    world: World, target: ModelTarget
) -> None:
    lossy = Lossy(target)
    world.services.opener.target = lossy  # type: ignore[attr-defined]
    target.is_unique = False
    lossy.loses = lambda verb, key: "after" if verb == "bulk" else ""
    await world.add_people(range(40))
    await world.start()

    dying = asyncio.create_task(drain_job(world.services, world.drive, world.job))
    async with asyncio.timeout(30):
        await lossy.moved.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert lossy.hanging == 0
    made = len(target.accounts[USER])
    lossy.loses = lambda verb, key: ""
    await end_leases(world)
    await world.drain()

    assert made > 1

    assert len(target.people()) == 40
    assert len(target.accounts[USER]) == 40


async def test_refused_credentials_count_once_for_a_bulk_request(world: World, target: ModelTarget) -> None:
    target.before = lambda verb, key: (
        answered(Verdict.UNAUTHORIZED, status=401, code="Unauthorized") if verb == "bulk" else None
    )
    await world.add_people(range(40))

    await world.sync()

    assert await world.value("select quarantine is not null from job")
    assert target.requests["bulk"] <= 2  # one for each sender
    assert await world.value("select count(*) from operation where state in ('planned', 'ambiguous')") == 0


async def test_one_throttled_create_pauses_the_application_and_none_is_lost(world: World, target: ModelTarget) -> None:
    busy = [True]
    target.before = lambda verb, key: (
        answered(Verdict.THROTTLED, status=429, wait=timedelta(milliseconds=50))
        if key == upn(5) and busy and busy.pop()
        else None
    )
    await world.add_people(range(40))

    cycle = await world.sync()

    assert not busy
    assert (len(target.people()), cycle.state) == (40, "succeeded")


async def test_everybody_is_right_after_random_faults_of_bulk_requests(world: World, target: ModelTarget) -> None:
    chance = random.Random(11)
    target.is_unique = False

    def late(verb: str, key: str) -> Answer | None:
        draw = chance.random() * (0.3 if verb == "bulk" else 1)
        if draw < 0.05:
            return answered(Verdict.AMBIGUOUS, status=500, code="InternalServerError")
        if draw < 0.06:
            return answered(Verdict.THROTTLED, status=503, wait=timedelta(milliseconds=50))
        return None

    def early(verb: str, key: str) -> Answer | None:
        return answered(Verdict.UNREACHABLE) if chance.random() < 0.01 else late(verb, key)

    target.before, target.after = early, late
    await world.add_people(range(150))
    await world.sync()
    target.before = target.after = lambda verb, key: None
    await world.rows("update dirty set not_before = '-infinity' where not_before < 'infinity' returning 1")
    await world.rows("delete from target_state returning 1")
    await world.drain()

    assert target.requests["bulk"] > 3
    assert len(target.people()) == 150
    assert len(target.accounts[USER]) == 150
    assert await world.value("select count(*) from operation where state in ('planned', 'ambiguous')") == 0
