"""Groups, their members and people's managers end up right in both applications, in any order, with requests for the changes alone."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

import pytest

from lockstep.actions import assignments, groups, people
from lockstep.actions import settings as settings_actions
from lockstep.actions.lookup import find_group
from lockstep.directory.groups import GroupWrite, write_groups
from tests.journeys.two_applications import DOCUMO, Stage, Wire, open_stage
from tests.support.hub import guid, person, upn

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
STAFF = ("ada", "ben", "cleo", "dan", "eva", "fay")


@pytest.fixture(scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with open_stage() as made:
        yield made


@pytest.fixture
async def team(stage: Stage) -> str:
    """A fresh, empty group that is assigned to both applications; everybody of STAFF is in the directory."""
    await stage.have(person(name) for name in STAFF)
    name = f"Team {uuid.uuid4().hex[:6]}"
    await groups.create_group(stage.context, name)
    for app in stage.wires:
        await assignments.assign(stage.context, app, groups=[name])
    return name


async def members_of(wire: Wire, group: str) -> set[str]:
    """The user names of a group's members, as the application returns them."""
    names = {account["id"]: name for name, account in (await wire.listed()).items()}
    held = (await wire.listed("Groups"))[group].get("members") or []
    return {names[one["value"]] for one in held}


def upns(*names: str) -> set[str]:
    return {upn(name) for name in names}


def managers(accounts: dict[str, Any], name: str) -> str | None:
    held: Any = accounts[upn(name)].get(ENTERPRISE, {}).get("manager") or {}
    return held.get("value") and str(held["value"])


async def assign(stage: Stage, *names: str) -> None:
    for app in stage.wires:
        await assignments.assign(stage.context, app, users=[upn(name) for name in names])


async def test_manager_who_is_imported_after_the_report_is_written_when_he_comes(stage: Stage) -> None:
    await stage.have([person("report", manager=guid("boss"))])
    await assign(stage, "report")
    await stage.settle()
    for wire in stage.wires.values():
        assert managers(await wire.listed(), "report") is None

    await stage.have([person("boss")])
    await assign(stage, "boss")
    await stage.settle()

    for wire in stage.wires.values():
        accounts = await wire.listed()
        assert managers(accounts, "report") == accounts[upn("boss")]["id"]


async def test_manager_who_comes_into_scope_later_costs_his_account_and_one_write(stage: Stage) -> None:
    await stage.have([person("chief"), person("clerk", manager=guid("chief"))])
    await assign(stage, "clerk")
    await stage.settle()
    stage.forget_requests()

    await assign(stage, "chief")
    await stage.settle()

    for wire in stage.wires.values():
        accounts = await wire.listed()
        assert managers(accounts, "clerk") == accounts[upn("chief")]["id"]
        assert [method for method, _, _ in wire.writes] == ["POST", "PATCH"]


async def test_members_follow_the_group_and_late_ones_join_it(stage: Stage, team: str) -> None:
    await groups.change_members(stage.context, team, add=[upn("ada"), upn("ben")])
    await stage.settle()
    await groups.change_members(stage.context, team, add=[upn("cleo")])
    await stage.settle()

    for wire in stage.wires.values():
        assert await members_of(wire, team) == upns("ada", "ben", "cleo")


async def test_members_who_come_and_go_together_share_one_patch(stage: Stage, team: str) -> None:
    await groups.change_members(stage.context, team, add=[upn(name) for name in STAFF[:4]])
    await assign(stage, *STAFF)
    await stage.settle()
    stage.forget_requests()

    await groups.change_members(stage.context, team, add=[upn("eva"), upn("fay")], remove=[upn("ada"), upn("ben")])
    await stage.settle()

    for wire in stage.wires.values():
        assert await members_of(wire, team) == upns("cleo", "dan", "eva", "fay")
        assert [method for method, _, _ in wire.sent] == ["PATCH"]


async def test_members_go_one_to_a_patch_where_the_setting_says_so(stage: Stage, team: str) -> None:
    for app in stage.wires:
        await settings_actions.change_settings(stage.context, app, members_per_patch=1)
    await groups.change_members(stage.context, team, add=[upn("ada"), upn("ben"), upn("cleo")])
    await assign(stage, *STAFF)
    await stage.settle()
    stage.forget_requests()

    await groups.change_members(stage.context, team, add=[upn("dan"), upn("eva")], remove=[upn("ada")])
    await stage.settle()
    for app in stage.wires:
        await settings_actions.change_settings(stage.context, app, members_per_patch=100)

    for wire in stage.wires.values():
        assert await members_of(wire, team) == upns("ben", "cleo", "dan", "eva")
        assert [(method, len(body["Operations"])) for method, _, body in wire.sent] == [("PATCH", 1)] * 3


async def test_rename_of_a_group_is_one_request(stage: Stage, team: str) -> None:
    await groups.change_members(stage.context, team, add=[upn("ada")])
    await stage.settle()
    stage.forget_requests()

    renamed = await renamed_group(stage, team)
    await stage.settle()

    for wire in stage.wires.values():
        assert await members_of(wire, renamed) == upns("ada")
        assert team not in await wire.listed("Groups")
        assert [(method, path.split("/")[1]) for method, path, _ in wire.sent] == [("PATCH", "Groups")]


async def renamed_group(stage: Stage, name: str) -> str:
    async with stage.context.changing() as edit:
        group = await find_group(edit.connection, name)
        new = f"{name} renamed"
        after = replace(group, display_name=new, attributes={**group.attributes, "displayName": new})
        await write_groups(edit, [GroupWrite(after, group)])
    return new


async def test_nested_group_brings_neither_its_people_nor_itself(stage: Stage, team: str) -> None:
    inner = f"{team} inner"
    await groups.create_group(stage.context, inner)
    await stage.have([person("nested")])
    await groups.change_members(stage.context, inner, add=[upn("nested")])
    await groups.change_members(stage.context, team, add=[upn("ada")])
    await groups.change_members(stage.context, team, add=[inner], groups_too=True)
    await stage.settle()

    for wire in stage.wires.values():
        assert await members_of(wire, team) == upns("ada")
        assert inner not in await wire.listed("Groups")
        assert upn("nested") not in await wire.listed()


async def test_unassigned_group_is_deleted_and_its_people_are_disabled(stage: Stage, team: str) -> None:
    await stage.have([person("temp")])
    await groups.change_members(stage.context, team, add=[upn("temp")])
    await stage.settle()

    for app in stage.wires:
        await assignments.unassign(stage.context, app, groups=[team])
    await stage.settle()

    for wire in stage.wires.values():
        assert team not in await wire.listed("Groups")
        assert (await wire.listed())[upn("temp")]["active"] is False


async def test_purged_person_leaves_the_group_and_no_request_fails(stage: Stage, team: str) -> None:
    await stage.have([person("goner")])
    await assign(stage, "goner")
    await groups.change_members(stage.context, team, add=[upn("ada"), upn("goner")])
    await stage.settle()

    await people.delete(stage.context, [upn("goner")])
    await people.purge(stage.context, [upn("goner")])
    await stage.settle()

    for wire in stage.wires.values():
        assert upn("goner") not in await wire.listed()
        assert await members_of(wire, team) == upns("ada")


@pytest.mark.parametrize("size", [300, *(pytest.param(size, marks=pytest.mark.full) for size in (2_000, 20_000))])
async def test_one_leaver_of_a_large_group_is_one_request(stage: Stage, size: int) -> None:
    crowd = [f"p{size}n{number}" for number in range(size)]
    everybody = f"Everybody {size}"
    await stage.have(person(name) for name in crowd)
    await groups.create_group(stage.context, everybody)
    await fill(stage, everybody, crowd)
    await assignments.assign(stage.context, DOCUMO, users=[upn(crowd[7])], groups=[everybody])
    await stage.settle([DOCUMO])
    stage.forget_requests()

    await groups.change_members(stage.context, everybody, remove=[upn(crowd[7])])
    await stage.settle([DOCUMO])

    wire = stage.wires[DOCUMO]
    assert [(method, path.split("/")[1]) for method, path, _ in wire.sent] == [("PATCH", "Groups")]
    assert await members_of(wire, everybody) == upns(*crowd[:7], *crowd[8:])


async def fill(stage: Stage, group: str, names: Iterable[str]) -> None:
    await groups.change_members(stage.context, group, add=[upn(name) for name in names])
