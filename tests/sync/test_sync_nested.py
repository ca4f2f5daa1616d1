"""Nested groups, and filters on memberships: who is marked, who is provisioned, and which members a group gets."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.actions import assignments, groups
from lockstep.actions.context import Context
from lockstep.directory.groups import GroupWrite, with_group_attributes, write_groups
from lockstep.engine.records import ObjectKind
from tests.support.model_target import ModelTarget
from tests.support.sync_groups import WITH_GROUPS
from tests.support.sync_world import CONFIG, USERS, World, upn

NESTED = {**CONFIG, "nestedGroups": True}


async def make_groups(context: Context, **members: list[int]) -> None:
    for name, numbers in members.items():
        await groups.create_group(context, name)
        await groups.change_members(context, name, add=[upn(number) for number in numbers])


async def nest(context: Context, outer: str, *inner: str) -> None:
    await groups.change_members(context, outer, add=inner, groups_too=True)


async def take_out(context: Context, outer: str, *inner: str) -> None:
    await groups.change_members(context, outer, remove=inner, groups_too=True)


async def rename(context: Context, name: str, to: str) -> None:
    group = (await groups.show_group(context, name)).group
    async with context.changing() as edit:
        await write_groups(edit, [GroupWrite(with_group_attributes(group, {"displayName": to}), group)])


def active(target: ModelTarget) -> set[str]:
    return {name for name, values in target.people().items() if values["active"]}


def named(*numbers: int) -> set[str]:
    return {upn(number) for number in numbers}


def filtered(condition: dict[str, Any]) -> dict[str, Any]:
    scoping = {"title": "Staff", "all": [condition]}
    return {**CONFIG, "mappings": [{**USERS, "scopingFilters": [scoping]}]}


def members(target: ModelTarget) -> set[str]:
    (held,) = target.members.values()
    return {target.accounts[ObjectKind.USER][one]["userName"] for one in held}


async def test_nested_groups_are_ignored_unless_asked_for(context: Context, world: World, target: ModelTarget) -> None:
    await world.add_people(range(4), assigned=False)
    await make_groups(context, outer=[0], inner=[1, 2])
    await nest(context, "outer", "inner")
    await assignments.assign(context, "model", groups=["outer"])

    await world.sync()

    assert active(target) == named(0)


async def test_people_of_nested_groups_come_and_go_with_them(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.configure(NESTED)
    await world.add_people(range(6), assigned=False)
    await make_groups(context, outer=[0], inner=[1], deep=[2])
    await nest(context, "outer", "inner")
    await assignments.assign(context, "model", groups=["outer"])
    await world.sync()
    assert active(target) == named(0, 1)

    await nest(context, "inner", "deep")
    await world.drain()
    assert active(target) == named(0, 1, 2)

    await groups.change_members(context, "deep", add=[upn(3)])
    await world.drain()
    assert active(target) == named(0, 1, 2, 3)

    await groups.delete_group(context, "inner")
    await world.drain()
    assert active(target) == named(0)

    await groups.restore_group(context, "inner")
    await world.drain()
    assert active(target) == named(0, 1, 2, 3)

    await take_out(context, "outer", "inner")
    await world.drain()
    assert active(target) == named(0)


async def test_groups_that_hold_each_other_end(context: Context, world: World, target: ModelTarget) -> None:
    await world.configure(NESTED)
    await world.add_people(range(3), assigned=False)
    await make_groups(context, outer=[0], inner=[1])
    await nest(context, "outer", "inner")
    await nest(context, "inner", "outer")
    await assignments.assign(context, "model", groups=["inner"])

    await world.sync()
    assert active(target) == named(0, 1)

    await take_out(context, "inner", "outer")
    await world.drain()
    assert active(target) == named(1)


async def test_members_of_nested_groups_are_members_of_the_group_in_the_application(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.configure({**WITH_GROUPS, "nestedGroups": True})
    await world.add_people(range(4), assigned=False)
    await make_groups(context, outer=[0], inner=[1])
    await nest(context, "outer", "inner")
    await assignments.assign(context, "model", groups=["outer"])
    await world.sync()
    assert members(target) == named(0, 1)

    await groups.change_members(context, "inner", add=[upn(2)])
    await world.drain()
    assert members(target) == named(0, 1, 2)

    await groups.change_members(context, "inner", remove=[upn(1)])
    await world.drain()
    assert members(target) == named(0, 2)

    await take_out(context, "outer", "inner")
    await world.drain()
    assert members(target) == named(0)


@pytest.mark.parametrize("how", ["members", "name"])
async def test_filter_that_asks_for_a_membership_follows_it(
    context: Context, world: World, target: ModelTarget, how: str
) -> None:
    await world.configure(filtered({"memberOf": "staff"}))
    await world.add_people(range(3))
    await make_groups(context, staff=[0])
    await world.sync()
    assert active(target) == named(0)

    if how == "members":
        await groups.change_members(context, "staff", add=[upn(1)], remove=[upn(0)])
    else:
        await make_groups(context, others=[1])
        await rename(context, "staff", "former staff")
        await rename(context, "others", "staff")
    await world.drain()

    assert active(target) == named(1)


async def test_filter_that_forbids_a_membership_lets_nobody_of_the_group_in(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.configure(filtered({"not": {"memberOf": "contractors"}}))
    await world.add_people(range(3))
    await make_groups(context, contractors=[1])

    await world.sync()

    assert active(target) == named(0, 2)


async def test_membership_marks_nobody_where_no_filter_asks_for_it(context: Context, world: World) -> None:
    await world.add_people(range(3))
    await make_groups(context, staff=[0])
    await world.sync()

    await groups.change_members(context, "staff", add=[upn(1)])

    assert await world.value("select count(*) from dirty") == 0


async def test_person_in_scope_through_two_nested_groups_has_one_assignment(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.configure(NESTED)
    await world.add_people(range(2), assigned=False)
    await make_groups(context, outer=[0], left=[0, 1], right=[1])
    await nest(context, "outer", "left", "right")
    await assignments.assign(context, "model", groups=["outer"])

    await world.sync()

    assert active(target) == named(0, 1)
    assert len(await assignments.list_assignments(context, "model")) == 1
