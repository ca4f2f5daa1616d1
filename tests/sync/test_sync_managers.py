"""Attributes of the manager in mappings and filters: a person is updated when their manager changes."""

from __future__ import annotations

import pytest

from lockstep.actions import assignments, groups, people
from lockstep.actions.context import Context
from lockstep.actions.mappings import count_scope, decide_for, lint_mappings
from lockstep.actions.previews import expression_record
from lockstep.engine.records import ObjectKind
from tests.support.model_target import ModelTarget
from tests.support.sync_groups import WITH_GROUPS
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn

TITLE = {"target": "title", "expression": 'Append("Under ", [manager.department])'}
IN_SALES = {"title": "Sales", "all": [{"attribute": "manager.department", "operator": "EQUALS", "value": "Sales"}]}
MAPPED = {**CONFIG, "mappings": [{**USERS, "attributes": [*USERS["attributes"], TITLE]}]}
FILTERED = {**CONFIG, "mappings": [{**USERS, "scopingFilters": [IN_SALES]}]}


async def staff(context: Context, world: World) -> None:
    """Person 0 is the manager of person 1; person 2 has none."""
    await world.add_people(range(3), department="Sales")
    await people.set_person(context, upn(1), {"manager": upn(0)})


async def test_mapping_follows_an_attribute_of_the_manager(context: Context, world: World, target: ModelTarget) -> None:
    await world.configure(MAPPED)
    await staff(context, world)
    await world.sync()
    assert target.people()[upn(1)]["title"] == "Under Sales"

    await people.set_person(context, upn(0), {"department": "Legal"})
    await world.drain()
    assert target.people()[upn(1)]["title"] == "Under Legal"

    await people.set_person(context, upn(2), {"department": "Harbour"})
    await people.set_person(context, upn(1), {"manager": upn(2)})
    await world.drain()
    assert target.people()[upn(1)]["title"] == "Under Harbour"
    assert (await expression_record(context, upn(1)))["manager.department"] == "Harbour"


async def test_filter_follows_an_attribute_of_the_manager(context: Context, world: World, target: ModelTarget) -> None:
    await world.configure(FILTERED)
    await staff(context, world)
    await world.sync()
    assert set(target.people()) == {upn(1)}

    await people.set_person(context, upn(0), {"department": "Legal"})
    await world.drain()

    assert target.people()[upn(1)]["active"] is False


@pytest.mark.parametrize(("name", "marked"), [("department", True), ("jobTitle", False)])
async def test_only_attributes_that_are_read_of_the_manager_mark_the_reports(
    context: Context, world: World, name: str, marked: bool
) -> None:
    await world.configure(MAPPED)
    await staff(context, world)
    await world.sync()

    await people.set_person(context, upn(0), {name: "Other"})

    ids = [one for (one,) in await world.rows("select source_id::text from dirty")]
    assert (person_id(1) in ids, person_id(2) in ids) == (marked, False)


async def test_filter_by_the_manager_that_is_only_tried_is_counted(context: Context, world: World) -> None:
    await staff(context, world)

    assert (await count_scope(context, "model", filters=[IN_SALES])).in_scope == 1


async def test_who_would_newly_leave_is_told_from_those_who_are_out_already(context: Context, world: World) -> None:
    await staff(context, world)
    await world.sync()
    await world.unassign([2])

    asked = await count_scope(context, "model", filters=[IN_SALES])
    stored = await count_scope(context, "model")

    assert (asked.leavers, asked.already_out) == ((upn(0),), 1)
    assert (stored.leavers, stored.already_out) == ((), 1)


async def test_scope_is_decided_for_a_group_by_the_filters_of_groups(context: Context, world: World) -> None:
    await world.configure(WITH_GROUPS)
    await groups.create_group(context, "staff")
    await assignments.assign(context, "model", groups=["staff"])
    no_staff = {"title": "t", "all": [{"attribute": "displayName", "operator": "NOT EQUALS", "value": "staff"}]}

    name, decision = await decide_for(context, "model", "staff", kind=ObjectKind.GROUP)
    _, tried = await decide_for(context, "model", "staff", kind=ObjectKind.GROUP, filters=[no_staff])

    assert (name, decision.in_scope, tried.in_scope) == ("staff", True, False)


async def test_lint_knows_the_attributes_of_managers(context: Context, world: World) -> None:
    wrong = {**TITLE, "expression": "[manager.departmant]"}
    await world.configure(MAPPED)
    before = [one.message for one in await lint_mappings(context, "model")]
    await world.configure({**MAPPED, "mappings": [{**USERS, "attributes": [*USERS["attributes"], wrong]}]})
    after = [one.message for one in await lint_mappings(context, "model")]

    assert not [message for message in before if "manager" in message]
    assert [message for message in after if 'did you mean "manager.department"' in message]
