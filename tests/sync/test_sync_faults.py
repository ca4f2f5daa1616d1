"""Faults of applications and networks, and crashes, with the state that must follow."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from lockstep.engine.decisions.patience import TOLERATED
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import Pool
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.planning import planner
from lockstep.sync.services import Services
from tests.support.model_target import USER, ModelOpener, ModelTarget, answered
from tests.support.passing_time import new_process
from tests.support.sync_world import CONFIG, FAST, World, make_world, person_id, upn
from tests.support.waiting import until


async def test_answer_lost_after_the_create_makes_one_account(world: World, target: ModelTarget) -> None:
    lost = {upn(3), upn(4)}
    target.after = lambda verb, key: answered(Verdict.AMBIGUOUS) if key in lost and not lost.discard(key) else None  # type: ignore[func-returns-value]
    await world.add_people(range(10))

    cycle = await world.sync()

    assert len(target.people()) == 10
    assert target.requests["create"] == 10
    assert cycle.state == "succeeded"
    assert await world.rows("select state, count(*) from operation group by 1") == [("confirmed", 10)]


async def test_request_lost_before_the_application_is_sent_again_after_looking(
    world: World, target: ModelTarget
) -> None:
    lost = {upn(3)}
    target.before = lambda verb, key: (
        answered(Verdict.AMBIGUOUS) if verb == "create" and key in lost and lost.pop() else None
    )
    await world.add_people(range(5))

    await world.sync()

    assert len(target.people()) == 5
    assert target.requests["create"] == 6
    assert sorted(await world.rows("select state, count(*) from operation group by 1")) == [
        ("confirmed", 5), ("dropped", 1),
    ]  # fmt: skip


async def test_conflict_on_create_is_answered_by_looking_and_linking(world: World, target: ModelTarget) -> None:
    await world.sync()
    target.add({"userName": upn(1), "active": True, "name.givenName": "Given1", "name.familyName": "Sur1"})
    hidden = [True]
    real_find = target.find

    async def find(kind: object, attribute: str, value: str) -> object:
        found = await real_find(kind, attribute, value)  # type: ignore[arg-type]
        return [] if hidden and hidden.pop() else found

    target.find = find  # type: ignore[method-assign, assignment]
    await world.add_people([1])

    await world.drain()

    assert len(target.people()) == 1
    assert (await world.cycle()).counts == {"linked": 1}


async def test_account_that_vanished_is_refused_and_not_created_again(world: World, target: ModelTarget) -> None:
    await world.add_people([1, 2])
    await world.sync()
    gone = await world.value("select target_id from link where source_id = %s", person_id(1))
    del target.accounts[USER][gone]

    await world.change([1], surname="Renamed")
    await world.drain()

    assert len(target.people()) == 1
    assert await world.value("select state from link where source_id = %s", person_id(1)) == "lost"
    assert await world.value("select error_code from provisioning_log where status = 'failure'") == "InvalidAnchor"


async def test_401_quarantines_at_once_whatever_the_counts(world: World, target: ModelTarget) -> None:
    await world.add_people(range(200))
    served = []
    target.before = lambda verb, key: (
        answered(Verdict.UNAUTHORIZED, status=401, code="Unauthorized", detail="The key was revoked")
        if verb == "create" and (served.append(key) or len(served) > 3)  # type: ignore[func-returns-value]
        else None
    )

    await world.sync()

    assert target.requests["create"] <= 3 + 16 + 16
    assert await world.value("select quarantine ->> 'reason' from job") == "EncounteredQuarantineException"
    assert await world.value("select quarantine -> 'error' ->> 'message' from job") == "The key was revoked"
    assert await world.value("select count(*) from dirty where failures > 0") == 0


async def test_quarantine_for_credentials_ends_when_the_probe_passes(world: World, target: ModelTarget) -> None:
    await world.add_people(range(5))
    target.is_down = answered(Verdict.UNAUTHORIZED, status=401, code="Unauthorized")
    await world.sync()
    assert not target.people()
    target.is_down = None

    await world.drain()
    assert not target.people()  # its next attempt is ahead
    await world.rows("update job set quarantine = jsonb_set(quarantine, '{nextAttempt}', to_jsonb(now()))  returning 1")
    await world.drain()

    assert len(target.people()) == 5
    assert await world.value("select quarantine from job") is None


async def test_nothing_is_sent_before_a_retry_after_has_passed(world: World, target: ModelTarget) -> None:
    await world.add_people(range(300))
    target.seconds = 0.1  # so that little is sent while one request is answered
    sent: list[str] = []

    def throttle(verb: str, key: str) -> Answer | None:
        sent.append(verb)
        if verb == "create" and len(sent) == 30:
            return answered(Verdict.THROTTLED, status=429, wait=timedelta(hours=1))
        return None

    target.before = throttle

    await world.start()
    await world.drain()
    await world.drain()

    assert len(sent) < 150  # those under way, and no others
    await world.rows("update target_state set not_before = now() returning 1")
    await world.rows("update dirty set not_before = '-infinity' returning 1")
    await new_process(world)
    assert len(target.people()) == 300


async def test_refused_person_waits_for_six_hours_and_stops_nobody(world: World, target: ModelTarget) -> None:
    target.before = lambda verb, key: (
        answered(Verdict.REFUSED, status=400, code="SchemaAttributeNotFound", detail="No such role")
        if verb == "create" and key == upn(2)
        else None
    )
    await world.add_people(range(5))

    cycle = await world.sync()

    assert len(target.people()) == 4
    assert cycle.counts == {"created": 4, "failed": 1}
    ((wait, failures, error),) = await world.rows(
        "select not_before - first_failed_at, failures, last_error ->> 'code' from dirty"
    )
    assert (wait, failures, error) == (timedelta(hours=6), 1, "SchemaAttributeNotFound")


@pytest.mark.parametrize(("most", "waits_long"), [(0, True), (1, True), (None, False)])
async def test_what_fails_for_a_moment_is_tried_as_often_as_the_configuration_says(
    pool: Pool, target: ModelTarget, most: int | None, waits_long: bool
) -> None:
    """No more than that before the long waits begin; by default five times."""
    world = await make_world(pool, target, times=replace(FAST, ambiguous_wait=timedelta(seconds=0.0005)))
    if most is not None:
        await world.configure({**CONFIG, "limits": {"maxRetries": most}})
    target.before = lambda verb, key: (
        answered(Verdict.AMBIGUOUS, status=500, code="InternalServerError") if verb == "create" else None
    )
    await world.add_people([1])
    await world.start()

    await world.drain()
    while not await _has_failed(world, 2 if most is None else most + 1):
        await world.rows("update dirty set not_before = '-infinity' returning 1")
        await world.drain()
    wait = await world.value("select not_before - first_failed_at from dirty")

    assert (wait >= timedelta(hours=6)) is waits_long


async def _has_failed(world: World, times: int) -> bool:
    return int(await world.value("select coalesce(max(failures), 0) from dirty")) >= times


async def test_everything_sent_is_in_the_journal_before(world: World, target: ModelTarget) -> None:
    missing: list[str] = []
    real = target.create

    async def create(kind: object, values: object, *, operation_id: str) -> Answer:
        known = await world.value("select count(*) from operation where id = %s and state = 'planned'", operation_id)
        if not known:
            missing.append(operation_id)
        return await real(kind, values, operation_id=operation_id)  # type: ignore[arg-type]

    target.create = create  # type: ignore[method-assign]
    await world.add_people(range(60))

    await world.sync()

    assert not missing
    assert len(target.people()) == 60


async def test_work_of_a_dead_worker_is_taken_over_by_looking_first(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))
    await world.start()
    target.after = lambda verb, key: None
    target.gate = asyncio.Event()
    target.gate.set()
    created = asyncio.Event()

    async def hang(*_: object, **__: object) -> Answer:
        created.set()
        await asyncio.Event().wait()
        raise AssertionError

    real = target.create

    async def create_and_hang(kind: object, values: object, *, operation_id: str) -> Answer:
        await real(kind, values, operation_id=operation_id)  # type: ignore[arg-type]
        return await hang()

    target.create = create_and_hang  # type: ignore[method-assign]
    dying = asyncio.create_task(drain_job(world.services, world.drive, world.job))
    await created.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    target.create = real  # type: ignore[method-assign]
    await world.rows("update dirty set lease_until = now() returning 1")
    survivor = Services(
        world.pool, world.services.vault, ModelOpener(target), world.drive.wake, times=world.services.times
    )

    await drain_job(survivor, world.drive, world.job)

    assert len(target.people()) == 40
    assert len([verb for verb, _ in target.order if verb == "create"]) == 40
    assert await world.value("select count(*) from operation where state in ('planned', 'ambiguous')") == 0
    assert await world.value("select count(*) from link") == 40


async def test_late_outcome_of_an_older_attempt_is_refused(world: World, target: ModelTarget) -> None:
    await world.add_people([1])
    await world.sync()
    await world.change([1], surname="First")
    target.gate = asyncio.Event()
    zombie = asyncio.create_task(world.drain())
    await until(lambda: _sent(target, "update"))
    await world.rows("update dirty set attempt = nextval('dirty_attempt') returning 1")  # taken over by somebody
    before = await world.rows("select * from link")

    target.gate.set()
    await asyncio.sleep(0)
    await until(lambda: _is_refused(world))
    world.services.stopping.set()
    await zombie

    assert await world.rows("select * from link") == before
    assert await world.value("select count(*) from provisioning_log where action = 'update'") == 0
    assert await world.value("select count(*) from dirty") == 1


async def test_change_that_comes_while_an_object_is_sent_is_not_lost(world: World, target: ModelTarget) -> None:
    await world.add_people([1])
    await world.sync()
    await world.change([1], surname="First")
    target.gate = asyncio.Event()
    drain = asyncio.create_task(world.drain())
    await until(lambda: _sent(target, "update"))

    await world.change([1], surname="Second")
    target.gate.set()
    await drain

    assert target.people()[upn(1)]["name.familyName"] == "Second"


async def test_failures_of_a_few_people_do_not_stop_an_application_that_answers(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    await world.sync()
    failed: list[str] = []

    def refuse_at_first(verb: str, key: str) -> Answer | None:
        if verb != "update" or len(failed) > TOLERATED + 2:
            return None
        failed.append(key)
        return answered(Verdict.AMBIGUOUS, status=500, code="InternalServerError")

    target.before = refuse_at_first
    await world.change(range(3), surname="Changed")
    await world.drain()

    assert len(failed) > TOLERATED
    assert {values["name.familyName"] for values in target.people().values()} == {"Changed"}
    assert await world.rows("select trouble from target_state where trouble is not null") == []


async def test_convergence_under_random_faults(world: World, target: ModelTarget) -> None:
    chance = random.Random(7)
    await world.add_people(range(150))

    def sometimes(verb: str, key: str) -> Answer | None:
        draw = chance.random()
        if draw < 0.05:
            return answered(Verdict.AMBIGUOUS, status=500, code="InternalServerError")
        if draw < 0.06:
            return answered(Verdict.THROTTLED, status=503, wait=timedelta(milliseconds=50))
        return answered(Verdict.UNREACHABLE) if draw < 0.07 else None

    target.before = sometimes
    target.after = sometimes

    await world.sync()
    await world.change(range(50), surname="Renamed")
    await world.unassign(range(100, 105))
    await world.drain()
    target.before = target.after = lambda verb, key: None
    await world.rows("update dirty set not_before = '-infinity' where not_before < 'infinity' returning 1")
    await world.rows("delete from target_state returning 1")
    await world.drain()

    people = target.people()
    assert len(people) == 150
    assert all(people[upn(number)]["name.familyName"] == "Renamed" for number in range(50))
    assert {name for name, values in people.items() if not values["active"]} == {upn(n) for n in range(100, 105)}
    assert await world.value("select count(*) from operation where state in ('planned', 'ambiguous')") == 0


async def _sent(target: ModelTarget, verb: str) -> bool:
    return target.requests[verb] > 0


async def _is_refused(world: World) -> bool:
    return not world.services.drains or not await world.value("select count(*) from dirty where lease_owner is null")


async def test_application_that_cannot_be_listed_yet_is_asked_again_slowly(world: World, target: ModelTarget) -> None:
    await world.add_people(range(3))
    failing = [answered(Verdict.AMBIGUOUS, status=502)] * 2
    target.before = lambda verb, key: failing.pop() if verb == "page" and failing else None

    cycle = await world.sync()

    assert len(target.people()) == 3
    assert target.requests["page"] == 3
    assert cycle.state == "succeeded"


async def test_object_that_lockstep_fails_on_stops_nobody_else(
    world: World, target: ModelTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = planner.prepare_one

    def prepare_one(known: object, job: object, source_id: str, *arguments: object, **named: object) -> object:
        if source_id == person_id(1):
            raise RuntimeError("a mistake of ours")
        return real(known, job, source_id, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(planner, "prepare_one", prepare_one)
    await world.add_people(range(3))

    await world.sync()

    assert sorted(target.people()) == [upn(0), upn(2)]
    assert await world.value("select last_error ->> 'code' from dirty") == "InternalError"


async def test_new_credentials_are_tried_at_once(world: World, target: ModelTarget) -> None:
    await world.add_people([1])
    target.is_down = answered(Verdict.UNAUTHORIZED, status=401)
    await world.sync()
    target.is_down = None

    await world.rows("update credential set secret = secret returning 1")
    await world.drain()

    assert len(target.people()) == 1
