"""Groups and their members: the group first, then its members, and only what differs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from lockstep.actions import links
from lockstep.actions.context import Context
from lockstep.engine.records import ObjectKind, Values
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import transaction
from lockstep.storage import target_members, unverified
from lockstep.sync.drain.drain import drain_job
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_groups import (
    SALES,
    WITH_GROUPS,
    add_group,
    delete_person,
    group_account,
    members_of,
    named,
    refusing,
    set_members,
    wanted_members,
)
from tests.support.sync_world import World, person_id, upn
from tests.support.waiting import until

GROUP = ObjectKind.GROUP


async def test_group_is_created_and_then_filled_in_chunks(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(250))
    await add_group(world, range(250))

    cycle = await world.sync()

    assert await members_of(world, target) == named(*range(250))
    assert target.requests["members"] == 3
    assert cycle.counts == {"created": 251, "membersAdded": 250}
    assert (cycle.done, cycle.total) == (251, 251)


async def test_members_go_as_many_to_a_request_as_the_application_is_said_to_take(
    world: World, target: ModelTarget
) -> None:
    await world.configure({**WITH_GROUPS, "limits": {"membersPerPatch": 1}})
    await world.add_people(range(7))
    await add_group(world, range(7))

    await world.sync()

    assert await members_of(world, target) == named(*range(7))
    assert target.requests["members"] == 7


async def test_removing_one_member_keeps_the_others_and_costs_one_request(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(30))
    await add_group(world, range(30))
    await world.sync()
    target.requests.clear()

    await set_members(world, removed=[7])
    await world.drain()

    assert await members_of(world, target) == named(*range(30)) - named(7)
    assert target.requests == {"members": 1}


async def test_removing_the_last_member_empties_the_group(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people([1])
    await add_group(world, [1])
    await world.sync()

    await set_members(world, removed=[1])
    await world.drain()

    assert await members_of(world, target) == set()


async def test_member_who_gets_an_account_later_joins_then(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people([1, 2])
    await add_group(world, [1, 2])
    target.before = lambda verb, key: (
        answered(Verdict.REFUSED, status=400, code="X") if verb == "create" and "00002" in key else None
    )
    await world.sync()
    assert await members_of(world, target) == named(1)

    target.before = lambda verb, key: None
    await world.change([2], surname="Corrected")
    await world.drain()

    assert await members_of(world, target) == named(1, 2)


async def test_uncertain_chunk_is_compared_again(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(10))
    await add_group(world, range(10))
    lost = [1]
    target.after = lambda verb, key: answered(Verdict.AMBIGUOUS) if verb == "members" and lost and lost.pop() else None

    cycle = await world.sync()

    assert await members_of(world, target) == named(*range(10))
    assert cycle.state == "succeeded"
    assert await world.value("select count(*) from operation where state in ('planned', 'ambiguous')") == 0


@pytest.mark.parametrize("status", [400, 404, 409, 422])
async def test_member_whom_the_application_refuses_holds_up_nobody_else(
    world: World, target: ModelTarget, status: int
) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(150))
    await add_group(world, range(150))
    refusing(target, 3, 77, status=status)

    cycle = await world.sync()

    assert await members_of(world, target) == named(*range(150)) - named(3, 77)
    assert cycle.counts["membersAdded"] == 148
    assert cycle.counts["membersRefused"] == 2
    assert cycle.done == cycle.total
    error = await world.value("select last_error from dirty where kind = 'Group'")
    assert error["code"] == "InvalidValue"
    assert "did not add 2 members" in error["reason"]
    assert {upn(3) in error["reason"], upn(77) in error["reason"]} == {True}
    failed = await world.rows("select reason from provisioning_log where kind = 'Group' and status = 'failure'")
    assert len(set(failed)) == 2  # the group has a second turn if some people get their accounts after the first


async def test_member_refused_twice_in_one_cycle_is_counted_once(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(10))
    await add_group(world, range(10))
    refusing(target, 3)
    create, change, refused_once = target.create, target.change_members, asyncio.Event()

    async def late_create(kind: ObjectKind, values: Values, *, operation_id: str) -> Answer:
        if kind is ObjectKind.USER and values["userName"] == upn(9):
            await refused_once.wait()
        return await create(kind, values, operation_id=operation_id)

    async def noting(group_id: str, *, add: Sequence[str], remove: Sequence[str], operation_id: str) -> Answer:
        answer = await change(group_id, add=add, remove=remove, operation_id=operation_id)
        if len(add) == 1 and not answer.is_done:
            refused_once.set()
        return answer

    target.create = late_create  # type: ignore[method-assign]
    target.change_members = noting  # type: ignore[method-assign]

    cycle = await world.sync()

    assert await members_of(world, target) == named(*range(10)) - named(3)
    failed = await world.rows("select reason from provisioning_log where kind = 'Group' and status = 'failure'")
    assert len(failed) == 2
    assert cycle.counts["membersRefused"] == 1


async def test_refused_member_is_tried_again_and_does_not_slow_down_the_next_change(
    world: World, target: ModelTarget
) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(150))
    await add_group(world, range(100))
    work = target.change_members
    refusing(target, 3)
    await world.sync()
    target.requests.clear()

    await set_members(world, added=range(100, 150))
    await world.drain()
    assert await members_of(world, target) == named(*range(150)) - named(3)
    assert target.requests["members"] == 2  # the others, and the one alone

    target.change_members = work  # type: ignore[method-assign]
    await set_members(world, removed=[100])
    await world.drain()
    assert await members_of(world, target) == named(*range(150)) - named(100)
    assert await world.value("select count(*) from dirty") == 0


async def test_application_that_refuses_every_member_is_not_asked_for_each(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(100))
    await add_group(world, range(100))
    refusing(target, *range(100))

    await world.sync()

    assert target.requests["members"] < 60
    assert (await world.value("select last_error from dirty where kind = 'Group'"))["reason"] == "no such member"


async def test_group_that_is_gone_is_not_searched_for_a_member_to_blame(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(100))
    await add_group(world, range(10))
    await world.sync()
    target.accounts[GROUP].clear()
    target.requests.clear()

    await set_members(world, added=range(10, 100))
    await world.drain()

    assert target.requests["members"] == 1
    assert await world.value("select state from link where kind = 'Group'") == "lost"


async def test_group_that_is_made_again_gets_all_its_members(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(3))
    await add_group(world, range(3))
    await world.sync()
    await assign_group(world, assigned=False)
    await world.drain()
    assert target.accounts[GROUP] == {}
    target.members.clear()

    await assign_group(world, assigned=True)
    await world.drain()

    assert await members_of(world, target) == named(0, 1, 2)


async def assign_group(world: World, *, assigned: bool) -> None:
    change = (
        "insert into assignment (app, principal_kind, principal_id) values (%s, 'Group', %s)"
        if assigned
        else "delete from assignment where app = %s and principal_id = %s"
    )
    async with transaction(world.pool) as connection:
        await connection.execute(change, (world.app, SALES))
        await connection.execute(
            "select mark_dirty(id, 'Group', %s::uuid[], 1::smallint, 'assigned') from job where started", ([SALES],)
        )


async def test_rehired_person_has_the_groups_of_now_and_not_those_of_before(world: World, target: ModelTarget) -> None:
    """The former owner was in a group that the rehired person has not joined yet."""
    await world.configure(WITH_GROUPS)
    await world.add_people([1, 3])
    await add_group(world, [1, 3])
    await world.sync()
    await delete_person(world, 1)
    await world.drain()

    await world.add_people([2], userPrincipalName=upn(1))
    await world.drain()
    assert await members_of(world, target) == named(3)
    await set_members(world, added=[2])
    await world.drain()

    assert await members_of(world, target) == named(1, 3)
    assert await world.value("select count(*) from link where state = 'live' and kind = 'User'") == 2


async def test_member_whose_account_is_another_now_takes_its_place(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people([1, 2, 3])
    await add_group(world, [1, 2, 3])
    await world.sync()
    other = target.add({"userName": "person00009@contoso.com"})

    await relink(world, {1: other})
    await world.drain()

    assert await members_of(world, target) == named(2, 3, 9)


async def test_members_who_change_places_both_stay(world: World, target: ModelTarget) -> None:
    """The group forgets one of them before the account of the other is known."""
    await world.configure(WITH_GROUPS)
    await world.add_people([1, 2, 3])
    await add_group(world, [1, 2, 3])
    await world.sync()
    accounts = dict(await world.rows("select display, target_id from link where kind = 'User'"))
    other = target.add({"userName": "person00009@contoso.com"})

    await relink(world, {1: other, 2: accounts[upn(1)]})
    await world.drain()

    assert await members_of(world, target) == named(1, 3, 9)


async def relink(world: World, accounts: dict[int, str]) -> None:
    async with transaction(world.pool) as connection:
        for number, account in accounts.items():
            await connection.execute(
                "update link set target_id = %s where source_id = %s", (account, person_id(number))
            )
        await target_members.note_groups_of(connection, world.job, [person_id(number) for number in accounts])


async def test_members_that_the_application_does_not_keep_are_a_failure_of_the_group(
    world: World, target: ModelTarget
) -> None:
    target.keeps_last_only = True
    await world.configure({**WITH_GROUPS, "limits": {"membersPerPatch": 5}})
    await world.add_people(range(12))
    await add_group(world, range(12))

    cycle = await world.sync()
    writes = target.requests["members"]
    await world.drain()

    assert (cycle.counts["membersNotKept"], target.requests["members"]) == (11, writes), (
        "and it is not written again at once"
    )
    [(reason,)] = await world.rows("select reason from provisioning_log where error_code = 'MembersNotKept'")
    assert reason == ("The application reported success, but 11 of 12 members that it accepted are not in the group.")
    assert await world.value("select count(*) from target_member where is_sure") == 1, "the others are sent again"


async def test_members_that_the_application_does_not_show_are_unverified_and_no_failure(
    world: World, target: ModelTarget
) -> None:
    target.hides_members = True
    await world.configure(WITH_GROUPS)
    await world.add_people(range(12))
    await add_group(world, range(12))

    cycle = await world.sync()

    assert cycle.counts == {"created": 13, "membersAdded": 12, "membersUnverified": 12}
    said = await world.rows("select reason from provisioning_log where kind = 'Group' and reason like '%verified%'")
    assert [reason for (reason,) in said] == [
        "12 changes of members were accepted but cannot be verified: the application does not show the members of the group."
    ]
    async with world.pool.connection() as connection:
        assert await unverified.count_groups(connection, [world.job]) == {world.job: 1}
        assert await unverified.groups_of(connection, world.job, person_id(3), limit=5) == ["Sales"]
        assert await unverified.groups_of(connection, world.job, person_id(99), limit=5) == []


async def test_group_whose_members_are_shown_again_is_unverified_no_longer(world: World, target: ModelTarget) -> None:
    target.hides_members = True
    await world.configure(WITH_GROUPS)
    await world.add_people(range(40))
    await add_group(world, range(20))
    await world.sync()

    target.hides_members = False
    await set_members(world, added=range(20, 40))
    await world.drain()

    async with world.pool.connection() as connection:
        assert await unverified.count_groups(connection, [world.job]) == {}


async def test_leaver_does_not_wait_for_all_members_of_a_big_group(world: World, target: ModelTarget) -> None:
    """With a single sender, which the group holds: the group releases it after the current chunk."""
    await world.configure({**WITH_GROUPS, "limits": {"concurrency": 1, "membersPerPatch": 1}})
    await world.add_people(range(40))
    await add_group(world, [])
    await world.sync()
    target.order.clear()
    target.requests.clear()
    target.gate = asyncio.Event()

    await set_members(world, added=range(30))
    draining = asyncio.create_task(world.drain())
    await until(lambda: asyncio.sleep(0, target.requests["members"] > 0))
    await world.unassign([35])
    await draining_again(world)
    target.gate.set()
    await draining

    verbs = [verb for verb, _ in target.order]
    assert verbs.index("update") <= 2
    assert verbs.count("members") == 30
    assert await members_of(world, target) == named(*range(30))
    assert await world.value("select count(*) from dirty") == 0


async def draining_again(world: World) -> None:
    """The leaver's write is journalled and waits for a sender."""
    await drain_job(world.services, world.drive, world.job)  # only wakes the drain that runs
    await until(lambda: write_is_journalled(world))


async def write_is_journalled(world: World) -> bool:
    return bool(
        await world.value("select exists (select from operation where action = 'disable' and state = 'planned')")
    )


async def choose_anothers_account(context: Context, world: World) -> None:
    """Forget the link of a member who has left the scope, and choose the account for person 2."""
    account = await world.value("select target_id from link where source_id = %s", person_id(1))
    await world.unassign([1])
    await links.forget_link(context, "model", upn(1))
    await links.forget_link(context, "model", upn(2))
    await links.choose_link(context, "model", upn(2), str(account))
    await world.drain()


async def test_account_chosen_for_somebody_outside_the_group_leaves_it(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people([1, 2, 3])
    await add_group(world, [1, 3])
    await world.sync()

    await choose_anothers_account(context, world)

    assert await members_of(world, target) == named(3)


async def test_account_chosen_for_another_member_stays_in_the_group(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people([1, 2, 3])
    await add_group(world, [1, 2, 3])
    await world.sync()

    await choose_anothers_account(context, world)

    assert await wanted_members(world) == target.members[await group_account(world)]
    assert len(await wanted_members(world)) == 2


async def test_forgotten_link_that_is_found_again_keeps_its_memberships(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people([1, 2])
    await add_group(world, [1, 2])
    await world.sync()

    await links.forget_link(context, "model", upn(1))
    await world.drain()

    assert await members_of(world, target) == named(1, 2)
