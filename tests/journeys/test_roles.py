"""A person with a role in the directory has exactly that role in a third-party strict SCIM server; a revoked role is removed there."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lockstep.actions import assignments, groups, roles
from lockstep.actions import settings as settings_actions
from tests.journeys.two_applications import STRICT, Stage, open_stage
from tests.support.hub import person, upn

PRIMARY = 'roles[primary eq "True"].value'
SINGLE = {"expression": "SingleAppRoleAssignment([appRoleAssignments])", "clearWhenEmpty": True}
ALL = {"expression": "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])"}
ADDING = {"expression": "AppRoleAssignmentsComplex([appRoleAssignments])"}


@pytest.fixture(scope="module")
async def open_once() -> AsyncIterator[Stage]:
    async with open_stage() as made:
        for role in ("Owner", "Writer", "Reader"):
            await roles.add_role(made.context, STRICT, role)
        yield made


@pytest.fixture(params=["one role", "all roles"])
async def stage(open_once: Stage, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """The strict server, in one way of mapping roles and in the other."""
    ways: dict[str, tuple[str, Any]] = {
        "one role": (PRIMARY, SINGLE),
        "all roles": ("roles", ALL),
        "added": ("roles", ADDING),
    }
    target, mapping = ways[request.param]
    await settings_actions.set_mapping(open_once.context, STRICT, target, mapping)
    yield open_once
    await settings_actions.change_settings(open_once.context, STRICT, nested_groups=False)
    await settings_actions.set_mapping(open_once.context, STRICT, target, None)


@pytest.fixture
async def somebody(stage: Stage) -> str:
    """A new person, assigned without a role."""
    name = f"p{uuid.uuid4().hex[:8]}"
    await stage.have([person(name)])
    await give(stage, name, None)
    return name


async def held(stage: Stage, name: str) -> list[str]:
    """The roles of an account, as the application returns them."""
    account = (await stage.wires[STRICT].listed())[upn(name)]
    return sorted(role["value"] for role in account.get("roles") or [])


async def give(stage: Stage, name: str, role: str | None) -> None:
    await assignments.assign(stage.context, STRICT, users=[upn(name)], role=role)


async def take(stage: Stage, name: str, role: str) -> None:
    await assignments.unassign(stage.context, STRICT, users=[upn(name)], role=role)


async def team(stage: Stage, *, role: str | None) -> str:
    """A new group that is assigned with *role*, or one that is not assigned."""
    name = f"Team {uuid.uuid4().hex[:6]}"
    await groups.create_group(stage.context, name)
    if role is not None:
        await assignments.assign(stage.context, STRICT, groups=[name], role=role)
    return name


async def test_role_that_is_changed_and_then_revoked_leaves_the_account(stage: Stage, somebody: str) -> None:
    await give(stage, somebody, "Writer")
    await stage.settle([STRICT])
    assert await held(stage, somebody) == ["Writer"]

    await give(stage, somebody, "Reader")
    await take(stage, somebody, "Writer")
    await stage.settle([STRICT])
    assert await held(stage, somebody) == ["Reader"]

    await take(stage, somebody, "Reader")
    await stage.settle([STRICT])
    assert await held(stage, somebody) == []
    assert (await stage.wires[STRICT].listed())[upn(somebody)]["active"] is True


@pytest.mark.parametrize("stage", ["one role"], indirect=True)
async def test_one_role_stays_where_none_takes_its_place_and_the_mapping_does_not_clear(
    stage: Stage, somebody: str
) -> None:
    await settings_actions.set_mapping(stage.context, STRICT, PRIMARY, {"clearWhenEmpty": None})
    await give(stage, somebody, "Writer")
    await stage.settle([STRICT])

    await take(stage, somebody, "Writer")
    await stage.settle([STRICT])

    assert await held(stage, somebody) == ["Writer"]


async def test_role_of_a_group_comes_and_goes_with_the_membership(stage: Stage, somebody: str) -> None:
    writers = await team(stage, role="Writer")
    await groups.change_members(stage.context, writers, add=[upn(somebody)])
    await stage.settle([STRICT])
    assert await held(stage, somebody) == ["Writer"]

    await groups.change_members(stage.context, writers, remove=[upn(somebody)])
    await stage.settle([STRICT])

    assert await held(stage, somebody) == []


async def test_role_through_a_nested_group_is_held_only_while_the_setting_is_on(stage: Stage, somebody: str) -> None:
    outer, inner = await team(stage, role="Owner"), await team(stage, role=None)
    await groups.change_members(stage.context, inner, add=[upn(somebody)])
    await groups.change_members(stage.context, outer, add=[inner], groups_too=True)
    await stage.settle([STRICT])
    assert await held(stage, somebody) == []

    await settings_actions.change_settings(stage.context, STRICT, nested_groups=True)
    await stage.settle([STRICT])
    assert await held(stage, somebody) == ["Owner"]

    await groups.change_members(stage.context, inner, remove=[upn(somebody)])
    await stage.settle([STRICT])
    assert await held(stage, somebody) == []


@pytest.mark.parametrize("stage", ["added"], indirect=True)
async def test_role_that_somebody_gave_in_the_application_stays_where_roles_are_only_added(
    stage: Stage, somebody: str
) -> None:
    await stage.settle([STRICT])
    wire = stage.wires[STRICT]
    account = (await wire.listed())[upn(somebody)]["id"]
    operation = {"op": "add", "path": "roles", "value": [{"value": "Billing"}]}
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
    await wire.ask("PATCH", f"/Users/{account}", body)

    for role in ("Writer", "Reader"):
        await give(stage, somebody, role)
        await stage.settle([STRICT])

    assert await held(stage, somebody) == ["Billing", "Reader", "Writer"]
