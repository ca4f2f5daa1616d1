"""A membership and its member's account arrive at the same moment, in any order: no member is forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import transaction
from lockstep.sync.services import Services
from tests.support.model_target import ModelTarget
from tests.support.sync_groups import WITH_GROUPS, add_group, delete_person, members_of, named, set_members
from tests.support.sync_world import World, person_id, upn
from tests.support.waiting import until


def another_worker(world: World) -> World:
    mine = world.services
    return replace(world, services=Services(mine.pool, mine.vault, mine.opener, mine.wake, times=mine.times))


async def group_is_done_or_waits(world: World) -> bool:
    """The other worker has dealt with the group, or waits for the transaction that links the member."""
    if await world.value("select exists (select from pg_locks where locktype = 'advisory' and not granted)"):
        return True
    return not await world.value("select exists (select from dirty where kind = 'Group')")


async def test_member_who_joins_while_the_account_is_being_recorded_is_added(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people([1])
    await world.add_people([2], assigned=False)
    await add_group(world, [1])
    await world.sync()
    other = another_worker(world)

    async with transaction(world.pool) as stopped:
        # The record of the new account stands still after it has looked for the groups of the person, before it can be seen.
        await stopped.execute("lock table provisioning_log in exclusive mode")
        await world.assign([2])
        linking = asyncio.create_task(world.drain())
        await until(lambda: is_waiting_for_the_log(world))
        await set_members(world, added=[2])
        grouping = asyncio.create_task(other.drain())
        await until(lambda: group_is_done_or_waits(world))
    await asyncio.gather(linking, grouping)
    await world.drain()

    assert await members_of(world, target) == named(1, 2)
    assert await world.value("select count(*) from dirty_member") == 0


async def is_waiting_for_the_log(world: World) -> bool:
    return bool(
        await world.value(
            "select exists (select from pg_locks where relation = 'provisioning_log'::regclass and not granted)"
        )
    )


async def test_account_that_is_recorded_after_the_membership_was_compared_is_added(
    world: World, target: ModelTarget
) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people([1])
    await world.add_people([2], assigned=False)
    await add_group(world, [1])
    await world.sync()

    await set_members(world, added=[2])
    await world.drain()
    assert await members_of(world, target) == named(1)
    await world.assign([2])
    await world.drain()

    assert await members_of(world, target) == named(1, 2)


async def test_member_who_leaves_while_the_account_is_being_made_is_not_added(
    world: World, target: ModelTarget
) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people([1])
    await world.add_people([2], assigned=False)
    await add_group(world, [1, 2])
    await world.sync()
    target.gate = asyncio.Event()

    await world.assign([2])
    linking = asyncio.create_task(world.drain())
    await until(lambda: asyncio.sleep(0, target.requests["create"] + target.requests["find"] > 0))
    await set_members(world, removed=[2])
    target.gate.set()
    await linking
    await world.drain()

    assert await members_of(world, target) == named(1)


async def test_account_that_is_given_to_somebody_else_while_members_are_sent_leaves_the_group(
    world: World, target: ModelTarget
) -> None:
    """An application that gives the account of somebody who was deleted to the next person of that name, as Documo does."""
    await world.configure(WITH_GROUPS)
    await world.add_people([1])
    await world.add_people([2, 3], assigned=False)
    await add_group(world, [1])
    await world.sync()
    await world.assign([2])
    await world.drain()
    await set_members(world, added=[2])
    target.gate = asyncio.Event()
    sending = asyncio.create_task(world.drain())
    await until(lambda: asyncio.sleep(0, target.requests["members"] == 2))
    await world.rows("update link set state = 'tombstone' where source_id = %s returning 1", person_id(2))
    await world.rows(
        """insert into link (job, kind, source_id, target_id, state, display, base, desired_hash, config_version, etag)
        select job, kind, %s, target_id, 'live', display, base, desired_hash, config_version, etag
        from link where source_id = %s returning 1""",
        person_id(3), person_id(2),
    )  # fmt: skip
    target.gate.set()
    await sending

    assert await members_of(world, target) == named(1)


@pytest.mark.parametrize("is_member", [False, True])
async def test_account_that_was_made_again_for_somebody_else_is_in_the_groups_of_its_owner_of_now(
    is_member: bool, world: World, target: ModelTarget
) -> None:
    """The request that added its former owner reached the application after that had made the account again."""
    await world.configure({**WITH_GROUPS, "deletions": {"onSourceDeleted": "delete"}})
    await world.add_people([1, 2])
    await add_group(world, [1, 2])
    await world.sync()
    account = await world.value("select target_id from link where source_id = %s", person_id(2))
    await delete_person(world, 2)
    await world.drain()
    assert await world.value("select state from link where source_id = %s", person_id(2)) == "tombstone"
    target.accounts[ObjectKind.USER][account] = {"userName": upn(3)}
    (held,) = target.members.values()
    held.add(account)

    await world.add_people([3])
    if is_member:
        await set_members(world, added=[3])
    await world.drain()

    assert await world.value("select target_id from link where source_id = %s", person_id(3)) == account
    assert await members_of(world, target) == (named(1, 3) if is_member else named(1))
    assert await world.value("select count(*) from target_member where member_id = %s", person_id(2)) == 0
