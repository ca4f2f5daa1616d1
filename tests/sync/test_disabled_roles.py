"""If a role is disabled, its holders are planned again, and the question before says what happens to the role in their accounts."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.actions import assignments, explaining, people, roles
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn

PRIMARY = 'roles[primary eq "True"].value'
SINGLE: dict[str, Any] = {"target": PRIMARY, "expression": "SingleAppRoleAssignment([appRoleAssignments])"}
CLEARING: dict[str, Any] = {**SINGLE, "clearWhenEmpty": True}
ALL: dict[str, Any] = {"target": "roles", "expression": "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])"}
ADDING: dict[str, Any] = {"target": "roles", "expression": "AppRoleAssignmentsComplex([appRoleAssignments])"}
LOST = f"Model: 1 person would lose a value ({upn(0)})."
KEPT = "would keep the former role in the account"
MAPPINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "one role": (SINGLE, [f"Model: 1 person {KEPT} ({upn(0)})."]),
    "one role, cleared": (CLEARING, [LOST]),
    "all roles": (ALL, [LOST]),
    "added roles": (
        ADDING,
        [f"Model: 2 people would keep their former roles in their accounts ({upn(0)}, {upn(1)})."],
    ),
}


async def switch_off(context: Context) -> None:
    await roles.set_role_enabled(context, "model", "Admin", is_enabled=False)


async def import_manifest(context: Context) -> None:
    exported = await roles.export_manifest(context, "model")
    for one in exported["appRoles"]:
        one["isEnabled"] = one["value"] != "Admin"
    await roles.import_manifest(context, "model", exported)


async def synced(world: World, context: Context, mapping: dict[str, Any]) -> None:
    """Person 0 is Admin, person 1 is Admin and Member, person 2 is Member."""
    await world.configure({**CONFIG, "mappings": [{**USERS, "attributes": [*USERS["attributes"], mapping]}]})
    await roles.add_role(context, "model", "Admin")
    await roles.add_role(context, "model", "Member")
    await world.add_people(range(3), assigned=False)
    await assignments.assign(context, "model", users=[upn(0), upn(1)], role="Admin")
    await assignments.assign(context, "model", users=[upn(1), upn(2)], role="Member")
    await world.sync()


def roles_in(world: World, number: int, path: str) -> list[str]:
    held = world.target.people()[upn(number)].get(path) or ()
    return [held] if isinstance(held, str) else [one["value"] for one in held]


@pytest.mark.parametrize("name", MAPPINGS)
async def test_question_before_a_role_is_disabled_says_who_loses_it_and_who_keeps_it(
    name: str, world: World, context: Context
) -> None:
    mapping, expected = MAPPINGS[name]
    await synced(world, context, mapping)

    found = await foresee(context, switch_off)

    assert consequence_lines(found) == expected
    await switch_off(context)
    await world.drain()
    loses = KEPT not in expected[0] and "former roles" not in expected[0]
    assert ("Admin" not in roles_in(world, 0, mapping["target"])) is loses


@pytest.mark.parametrize("change", [switch_off, import_manifest])
async def test_holders_of_a_role_that_is_disabled_lose_it_in_the_next_cycle(
    change: Any, world: World, context: Context
) -> None:
    await synced(world, context, ALL)

    await change(context)

    due = await world.rows("select source_id::text from dirty where job = %s", world.job)
    assert {one for (one,) in due} == {person_id(0), person_id(1)}
    await world.drain()
    assert [roles_in(world, number, "roles") for number in range(3)] == [[], ["Member"], ["Member"]]


async def test_holders_of_a_role_that_is_enabled_again_get_it_back(world: World, context: Context) -> None:
    await synced(world, context, ALL)
    await switch_off(context)
    await world.drain()

    await roles.set_role_enabled(context, "model", "Admin", is_enabled=True)
    await world.drain()

    assert roles_in(world, 0, "roles") == ["Admin"]


async def test_disabled_role_is_marked_and_comes_after_the_role_that_counts(world: World, context: Context) -> None:
    await synced(world, context, ALL)

    await switch_off(context)

    shown = await people.show_person(context, upn(1))
    explained = await explaining.explain_person(context, upn(1), "model")
    assert [one.ways for one in shown.applications] == [("directly (Member)", "directly (Admin, disabled)")]
    assert "assigned directly (Member), directly (Admin, disabled)" in [gate.text for gate in explained.why.gates]


async def test_person_who_leaves_the_application_does_not_count_as_keeping_a_role(
    world: World, context: Context
) -> None:
    await synced(world, context, SINGLE)

    found = await foresee(context, lambda inner: assignments.unassign(inner, "model", users=[upn(0)], role="Admin"))

    assert consequence_lines(found) == [f"Model: 1 person would lose the account ({upn(0)})."]


async def test_role_that_is_replaced_stays_in_the_account_if_the_mapping_only_adds_roles(
    world: World, context: Context
) -> None:
    async def replace_admin(inner: Context) -> None:
        await assignments.reassign(inner, "model", users=[upn(0)], role="Member")

    await synced(world, context, ADDING)

    found = await foresee(context, replace_admin)

    assert consequence_lines(found) == [f"Model: 1 person {KEPT} ({upn(0)})."]
    await replace_admin(context)
    await world.drain()
    assert roles_in(world, 0, "roles") == ["Admin", "Member"]
