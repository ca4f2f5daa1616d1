"""Too many leavers at once: none of them is disabled before an administrator decides, and everybody else is provisioned."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lockstep.engine.decisions.matching import NO_MATCH
from lockstep.engine.decisions.plan import make_plan
from lockstep.engine.records import Action, ObjectKind
from lockstep.ports import Verdict
from lockstep.postgres.pool import transaction
from lockstep.storage import operations
from lockstep.storage.dirty import claim_one
from lockstep.sync.drain.guarding import Guard
from lockstep.sync.planning import planner
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn
from tests.support.waiting import until


def disabled(target: ModelTarget) -> set[str]:
    return {name for name, values in target.people().items() if not values["active"]}


async def decide(world: World, decision: str) -> int:
    async with world.pool.connection() as connection:
        return len(await operations.decide_held(connection, world.job, decision=decision, actor="test"))


async def held(world: World) -> int:
    async with world.pool.connection() as connection:
        return (await operations.count_undecided(connection, [world.job]))[world.job].held


async def test_of_too_many_leavers_nobody_goes_until_somebody_approves(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(40))
    await world.change(range(50, 60), surname="Goes on")

    await world.drain()

    assert disabled(target) == set()
    assert (await world.cycle()).counts == {"held": 40, "updated": 10}
    assert await held(world) == 40
    assert await decide(world, "approved") == 40
    await world.drain()
    assert disabled(target) == {upn(number) for number in range(40)}


async def test_approved_write_that_could_not_be_sent_needs_no_second_approval(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(40))
    await world.drain()
    busy = answered(Verdict.THROTTLED, status=429, code="TooManyRequests", wait=timedelta(0))
    first = iter(range(5))
    target.before = lambda verb, key: busy if verb == "update" and next(first, None) is not None else None

    await decide(world, "approved")
    await world.drain()

    assert await world.value("select count(*) from operation where state = 'dropped' and decided_by is null") > 0
    assert (await held(world), len(disabled(target))) == (0, 40)


async def test_hold_says_how_many_wait(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))

    await world.drain()

    reasons = await world.rows("select distinct error ->> 'reason' from operation where state = 'held'")
    assert (
        "Held for approval: with this one and 19 more waiting, 20 accounts would be disabled or deleted in this cycle; "
        "the limit is 20% of 60 linked accounts.",
    ) in reasons


async def test_leavers_within_the_limit_go_though_many_others_wait(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(5))
    await world.change(range(10, 60), surname="Changed")

    await world.drain()

    assert disabled(target) == {upn(number) for number in range(5)}
    assert await held(world) == 0


async def test_people_who_leave_in_the_lane_of_updates_are_judged_together(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(30))
    await world.rows("update dirty set lane = 4 returning 1")
    await world.change(range(40, 60), surname="Changed")

    await world.drain()

    assert (await world.cycle()).counts == {"held": 30, "updated": 20}
    assert disabled(target) == set()


async def test_one_leaver_goes_while_others_are_held(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))
    await world.drain()

    await world.unassign([50])
    await world.drain()

    assert disabled(target) == {upn(50)}
    assert await held(world) == 20


async def test_change_of_somebody_who_is_held_does_not_decide(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))
    await world.drain()

    await world.change([3], surname="Married")
    await world.drain()

    assert disabled(target) == set()
    assert await held(world) == 20


@pytest.mark.parametrize("how", ["assigned again", "approved first"])
async def test_hold_is_withdrawn_where_the_write_is_not_wanted_any_more(
    world: World, target: ModelTarget, how: str
) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))
    await world.drain()

    if how == "approved first":
        await decide(world, "approved")
    await world.assign(range(20))
    await world.drain()

    assert disabled(target) == set()
    assert await held(world) == 0


async def test_rejected_leavers_stay_and_do_not_count_against_the_next(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))
    await world.drain()
    await decide(world, "rejected")

    await world.unassign([50, 51])
    await world.drain()

    assert disabled(target) == {upn(50), upn(51)}
    assert await held(world) == 0


ROLE = 'roles[primary eq "True"].value'
SWAPPED = 'Switch([IsSoftDeleted], , "False", "False", "True", "True")'


def mapped(*attributes: dict[str, Any]) -> dict[str, Any]:
    """The usual configuration, with these mappings in place of those of the same target."""
    targets = {one["target"] for one in attributes}
    kept = [one for one in USERS["attributes"] if one["target"] not in targets]
    return {"scope": "assigned", "mappings": [{**USERS, "attributes": [*kept, *attributes]}]}


async def reconfigure(world: World, numbers: range, config: dict[str, Any]) -> None:
    await world.configure(config)
    await world.change(numbers)
    await world.drain()


async def codes(world: World) -> set[str]:
    return {code for (code,) in await world.rows("select error ->> 'guard' from operation where state = 'held'")}


@pytest.mark.parametrize("source", [{"constant": "False"}, {"constant": False}, {"expression": SWAPPED}])
async def test_mapping_that_switches_everybody_off_is_held(
    world: World, target: ModelTarget, source: dict[str, Any]
) -> None:
    await world.add_people(range(40))
    await world.sync()

    await reconfigure(world, range(40), mapped({"target": "active", **source}))

    assert disabled(target) == set()
    assert await held(world) == 40
    assert await codes(world) == {"TooManyDeletes"}
    await world.configure(CONFIG)
    await world.change(range(40))
    await world.drain()
    assert await held(world) == 0, "what is held goes away with its cause"
    assert disabled(target) == set()


async def test_accounts_switched_off_one_by_one_are_held_by_the_hour(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))
    await world.sync()
    await world.configure(mapped({"target": "active", "constant": "False"}))

    for number in range(20):
        await world.change([number])
        await world.drain()

    # Nine are below the number from which the percentage counts.
    assert len(disabled(target)) == 9
    assert await held(world) == 11


async def test_first_cycle_that_gives_everybody_a_privilege_gives_it_to_nobody(
    world: World, target: ModelTarget
) -> None:
    await world.configure(mapped({"target": ROLE, "constant": "Admin", "privileged": ["Admin"]}))
    await world.add_people(range(45))

    cycle = await world.sync()

    assert target.people() == {}
    assert cycle.counts == {"held": 45}
    assert await codes(world) == {"TooManyGrants"}
    assert await decide(world, "approved") == 45
    await world.drain()
    assert len(target.people()) == 45


async def test_new_accounts_with_privileges_among_many_others_are_not_held(world: World, target: ModelTarget) -> None:
    role = {"target": ROLE, "source": "jobTitle", "privileged": ["Admin"]}
    await world.configure(mapped(role))
    await world.add_people(range(12), jobTitle="Admin")
    await world.add_people(range(12, 80), jobTitle="Member")

    await world.sync()

    assert len(target.people()) == 80
    assert await held(world) == 0


async def test_new_accounts_with_privileges_that_drip_in_are_held_by_the_hour(
    world: World, target: ModelTarget
) -> None:
    await world.configure(mapped({"target": ROLE, "constant": "Admin", "privileged": ["Admin"]}))
    await world.start()

    for number in range(14):
        await world.add_people([number])
        await world.drain()

    assert len(target.people()) == 9
    assert await held(world) == 5


async def test_another_user_name_for_everybody_is_held(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))
    await world.sync()
    before = set(target.people())

    await world.change(range(40), userPrincipalName="the-same-for-all@contoso.com")
    await world.configure(
        mapped({"target": "userName", "expression": 'Append([givenName], "@contoso.com")', "match": 1})
    )
    await world.change(range(40), surname="Changed")
    await world.drain()

    assert set(target.people()) == before
    assert await held(world) == 40
    assert await codes(world) == {"TooManyRenames"}


async def test_people_who_marry_are_renamed(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))
    await world.sync()

    for number in range(5):
        await world.change([number], userPrincipalName=f"married{number}@contoso.com")
    await world.drain()

    assert await held(world) == 0
    assert {f"married{number}@contoso.com" for number in range(5)} <= set(target.people())


async def test_another_change_of_somebody_who_is_held_goes_through_where_no_guard_minds(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(40))
    await world.sync()
    await reconfigure(world, range(40), mapped({"target": "active", "constant": "False"}))
    await world.configure(CONFIG)

    await world.change([3], surname="Married")
    await world.drain()

    assert target.people()[upn(3)]["name.familyName"] == "Married"
    assert await held(world) == 39


RENAMED = {"target": "userName", "expression": 'Join("", "new-", [userPrincipalName])', "match": 1}
TITLE = {"target": "title", "source": "jobTitle", "clearWhenEmpty": True}
NICK = {"target": "nickName", "source": "department", "clearWhenEmpty": True}
ADMIN = {"target": ROLE, "constant": "Admin", "privileged": ["Admin"]}


async def what_is_held(world: World) -> set[tuple[str, str]]:
    rows = await world.rows(
        "select error ->> 'guard', error -> 'details' ->> 'what' from operation where state = 'held'"
    )
    return {(code, what) for code, what in rows}


async def test_hold_names_what_came_to_it_since(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))
    await world.sync()
    await reconfigure(world, range(40), mapped(RENAMED))
    assert await what_is_held(world) == {("TooManyRenames", "get a different userName")}

    await reconfigure(world, range(40), mapped(RENAMED, ADMIN))

    assert await what_is_held(world) == {("TooManyGrants", "get the role Admin and get a different userName")}
    assert set(target.people()) == {upn(number) for number in range(40)}


async def test_approval_is_no_pass_for_what_came_after_it(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))
    await world.sync()
    await reconfigure(world, range(40), mapped(RENAMED))

    assert await decide(world, "approved") == 40
    await reconfigure(world, range(40), mapped(RENAMED, ADMIN))

    assert set(target.people()) == {upn(number) for number in range(40)}
    assert await held(world) == 40
    assert await decide(world, "approved") == 40
    await world.drain()
    assert set(target.people()) == {f"new-{upn(number)}" for number in range(40)}
    assert await held(world) == 0


async def test_approval_holds_though_something_else_about_the_person_changes(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))
    await world.sync()
    await reconfigure(world, range(40), mapped(RENAMED))

    await decide(world, "approved")
    await world.change(range(40), surname="Changed")
    await world.drain()

    assert set(target.people()) == {f"new-{upn(number)}" for number in range(40)}


async def test_approval_of_an_account_is_none_for_another_account(world: World, target: ModelTarget) -> None:
    no_admin = {**ADMIN, "constant": "User"}
    admin = {"userName": upn(1), "active": True, ROLE: "Admin"}
    await world.configure(mapped(no_admin))
    await world.sync()
    seen = target.add(admin)
    await world.add_people([1])
    await world.drain()
    assert await world.rows("select state, target_id from operation") == [("held", seen)]

    await decide(world, "approved")
    del target.accounts[ObjectKind.USER][seen]
    other = target.add(admin)
    await world.drain()

    assert await world.rows("select target_id from link") == []
    assert await world.rows("select target_id from operation where state = 'held'") == [(other,)]


async def test_approval_of_a_name_is_none_for_another_name(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))
    await world.sync()
    await reconfigure(world, range(40), mapped(RENAMED))

    await decide(world, "approved")
    other = {**RENAMED, "expression": 'Join("", "other-", [userPrincipalName])'}
    await reconfigure(world, range(40), mapped(other))

    assert set(target.people()) == {upn(number) for number in range(40)}
    assert await held(world) == 40
    assert await codes(world) == {"TooManyRenames"}


async def test_approval_of_an_emptied_attribute_is_none_for_another_attribute(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(40))
    await world.configure(mapped(TITLE, NICK))
    await world.change(range(40), jobTitle="Engineer", department="Sales")
    await world.sync()
    await world.change(range(40), jobTitle=None)
    await world.drain()
    assert await codes(world) == {"TooManyEmptied"}

    await decide(world, "approved")
    await world.change(range(40), department=None)
    await world.drain()

    assert {(one.get("title"), one.get("nickName")) for one in target.people().values()} == {("Engineer", "Sales")}
    assert await held(world) == 40
    await decide(world, "approved")
    await world.drain()
    assert {(one.get("title"), one.get("nickName")) for one in target.people().values()} == {(None, None)}


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_decision_stands_though_the_object_was_being_planned_when_it_was_made(
    world: World, target: ModelTarget, decision: str
) -> None:
    world.services.times = replace(world.services.times, deadline_seconds=1.0, lease_margin_seconds=1.0)
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))
    await world.drain()
    await world.rows(
        """update dirty set not_before = '-infinity', version = nextval('dirty_version'), resume = '{"stage": "lookAgain"}'
        where source_id = %s returning 1""",
        person_id(3),
    )
    gate = target.gate = asyncio.Event()
    planning = asyncio.create_task(world.drain())
    await until(lambda: _asked(target, "get"))

    await decide(world, decision)
    target.gate = None
    gate.set()
    await planning
    await world.drain()

    assert await held(world) == 0
    assert len(disabled(target)) == (20 if decision == "approved" else 0)


async def _asked(target: ModelTarget, verb: str) -> bool:
    return target.requests[verb] > 0


async def test_leaver_who_is_tried_again_and_again_is_one_leaver(world: World, target: ModelTarget) -> None:
    await world.add_people(range(20))
    await world.sync()
    await world.unassign([3])
    person = str(await world.value("select source_id::text from dirty"))
    async with transaction(world.pool) as connection:
        job = await world.services.read_job(connection, world.job)
        known = await planner.load(connection, job, ObjectKind.USER, [person], index_of=frozenset())
        claim = await claim_one(connection, world.job, "User", person, owner="test", lease_seconds=60, cycle=None)
    prepared = planner.prepare_one(known, job, person, world.services.moment(), look=False)
    leaves = planner.PlanResult(make_plan(prepared, match=NO_MATCH), prepared)
    guard = Guard(world.services)

    passed = [await guard.pass_or_hold(job, claim, leaves) for _ in range(30)] if claim is not None else []

    assert {one.plan.action for one in passed} == {Action.DISABLE}


async def test_two_drains_together_stay_within_the_limit_of_leavers(world: World, target: ModelTarget) -> None:
    await world.configure({**CONFIG, "deletions": {"threshold": 10}})
    await world.add_people(range(60))
    await world.sync()
    guards = [Guard(world.services), Guard(world.services)]
    passed = 0

    for number in range(30):
        await world.unassign([number])
        passed += await lets_go(world, guards[number % 2], person_id(number))

    assert passed == 10


async def lets_go(world: World, guard: Guard, person: str) -> bool:
    """Whether *guard* lets the only leaver in the queue go. If so, the write is journalled, and the object is done."""
    async with transaction(world.pool) as connection:
        job = await world.services.read_job(connection, world.job)
        known = await planner.load(connection, job, ObjectKind.USER, [person])
        claim = await claim_one(connection, world.job, "User", person, owner="test", lease_seconds=60, cycle=None)
    assert claim is not None
    prepared = planner.prepare_one(known, job, person, world.services.moment(), look=False)
    leaves = planner.PlanResult(make_plan(prepared, match=NO_MATCH), prepared)
    passed = (await guard.pass_or_hold(job, claim, leaves)).plan.action is Action.DISABLE
    if passed:
        await world.rows(
            """insert into operation (id, job, kind, source_id, action, state, attempt)
            values (gen_random_uuid(), %s, 'User', %s, 'disable', 'confirmed', %s) returning 1""",
            world.job, person, claim.attempt,
        )  # fmt: skip
    await world.rows("delete from dirty returning 1")
    return passed
