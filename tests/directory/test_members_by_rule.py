"""Groups whose members are decided by a rule, which follows every change in the same transaction."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lockstep.actions import applications, assignments, group_rules, groups, people
from lockstep.actions.sources import import_source
from lockstep.directory.dynamic_groups import refresh_due
from lockstep.errors import LockstepError
from tests.support.hub import Hub, guid, person, upn, write_csv

SALES = {"title": "Sales", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}
BOSSES = {"title": "Bosses", "all": [{"attribute": "jobTitle", "operator": "INCLUDES", "value": "Director"}]}
PEOPLE = (person("anna"), person("bo"), person("cy", department="IT"), person("dan", department="IT"))


async def take(hub: Hub, tmp_path: Path, *rows: dict[str, str]) -> None:
    await import_source(hub.context, "hr", config={"files": [{"path": str(write_csv(tmp_path / "people.csv", rows))}]})


@pytest.fixture
async def contoso(hub: Hub, tmp_path: Path) -> Hub:
    """anna and bo in Sales, cy and dan in IT; the group sales by rule, given to Documo, whose job has started."""
    await take(hub, tmp_path, *PEOPLE)
    await applications.add_application(hub.context, "documo")
    await hub.fetch("update job set started = true")
    await group_rules.create_dynamic_group(hub.context, "sales", [SALES])
    await assignments.assign(hub.context, "documo", groups=["sales"], role="Member")
    await hub.fetch("delete from dirty")
    return hub


async def members(hub: Hub, group: str = "sales") -> list[str]:
    view = await groups.show_group(hub.context, group)
    return sorted(str(one["name"]).partition("@")[0] for one in view.members)


async def marked(hub: Hub) -> set[str]:
    rows = await hub.fetch(
        "select split_part(user_principal_name, '@', 1) from dirty join person on person.id = source_id"
    )
    return {str(name) for (name,) in rows}


async def test_who_matches_is_a_member_as_soon_as_the_group_is_made(contoso: Hub) -> None:
    assert await members(contoso) == ["anna", "bo"]


async def test_a_change_by_hand_brings_people_in_and_out_and_marks_them(contoso: Hub) -> None:
    await people.set_person(contoso.context, upn("cy"), {"department": "Sales"})
    await people.set_person(contoso.context, upn("anna"), {"department": "IT"})

    assert await members(contoso) == ["bo", "cy"]
    assert await marked(contoso) == {"anna", "cy"}


async def test_an_import_brings_people_in_and_out_and_newcomers_too(contoso: Hub, tmp_path: Path) -> None:
    await take(contoso, tmp_path, person("anna", department="IT"), *PEOPLE[1:], person("eve"))

    assert await members(contoso) == ["bo", "eve"]
    assert {"anna", "eve"} <= await marked(contoso)


async def test_an_attribute_that_the_rule_does_not_ask_for_moves_nobody(contoso: Hub) -> None:
    await contoso.fetch("delete from member where member_id = %s", guid("bo"))  # to see whether the rule is asked

    await people.set_person(contoso.context, upn("bo"), {"jobTitle": "Clerk"})
    assert await members(contoso) == ["anna"]

    for department in ("IT", "Sales"):
        await people.set_person(contoso.context, upn("bo"), {"department": department})
    assert await members(contoso) == ["anna", "bo"]


async def test_who_comes_back_from_the_recycle_bin_is_decided_again(contoso: Hub) -> None:
    await people.delete(contoso.context, [upn("anna"), upn("bo")])
    await contoso.fetch(
        """update person set attributes = attributes || '{"department": "IT"}' where id = %s""", guid("bo")
    )

    await people.restore(contoso.context, [upn("anna"), upn("bo")])

    assert await members(contoso) == ["anna"]


async def test_a_group_that_comes_back_is_as_its_rule_says_now(contoso: Hub) -> None:
    await groups.delete_group(contoso.context, "sales")
    await people.set_person(contoso.context, upn("cy"), {"department": "Sales"})

    await groups.restore_group(contoso.context, "sales")

    assert await members(contoso) == ["anna", "bo", "cy"]


async def test_another_rule_moves_members_at_once_and_its_effect_is_known_before(contoso: Hub) -> None:
    await people.set_person(contoso.context, upn("dan"), {"jobTitle": "Director of IT"})
    rule = [BOSSES]

    _, before = await group_rules.effect_of_rule(contoso.context, "sales", rule)
    assert await members(contoso) == ["anna", "bo"]
    _, done = await group_rules.set_rule(contoso.context, "sales", rule)

    assert await members(contoso) == ["dan"]
    for effect in (before, done):
        assert (effect.members, set(effect.joiners.values())) == (1, {upn("dan")})
        assert set(effect.leavers.values()) == {upn("anna"), upn("bo")}


async def test_members_are_not_changed_by_hand_while_there_is_a_rule(contoso: Hub) -> None:
    with pytest.raises(LockstepError, match="decided by its rule"):
        await groups.change_members(contoso.context, "sales", add=[upn("cy")])

    await group_rules.set_rule(contoso.context, "sales", None)
    await groups.change_members(contoso.context, "sales", add=[upn("cy")])
    await people.set_person(contoso.context, upn("anna"), {"department": "IT"})

    assert await members(contoso) == ["anna", "bo", "cy"]


async def test_time_alone_moves_somebody_when_the_rule_says_so(contoso: Hub) -> None:
    started = {"title": "Started", "all": [{"attribute": "employeeHireDate", "operator": "BEFORE", "value": "now"}]}
    soon = contoso.context.now() + timedelta(hours=1)
    await people.set_person(contoso.context, upn("anna"), {"employeeHireDate": soon.isoformat()})
    await group_rules.create_dynamic_group(contoso.context, "started", [started])
    assert await members(contoso, "started") == []

    ((review_at,),) = await contoso.fetch("select rule_review_at from grp where display_name = 'started'")
    await contoso.fetch(
        """update person set attributes = attributes || jsonb_build_object('employeeHireDate', now() - interval '1 hour')
        where id = %s""",
        guid("anna"),
    )  # as if an hour had passed
    await refresh_due(contoso.pool, contoso.context.now())
    assert await members(contoso, "started") == []
    await refresh_due(contoso.pool, soon + timedelta(minutes=1))

    assert abs((review_at - soon).total_seconds()) < 1  # type: ignore[operator]
    assert await members(contoso, "started") == ["anna"]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ([], "at least one filter"),
        ([{"title": "T", "all": [{"attribute": "departmnt", "operator": "EQUALS", "value": "x"}]}], "departmnt"),
        ([{"title": "T", "all": [{"attribute": "Department", "operator": "EQUALS", "value": "x"}]}], "Department"),
        ([{"title": "T", "all": [{"memberOf": "team"}]}], "cannot depend on other memberships"),
        ([{"title": "T", "all": [{"attribute": "department", "operator": "LIKE", "value": "x"}]}], "LIKE"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_and_changes_nothing(contoso: Hub, rule: list[Any], says: str) -> None:
    with pytest.raises(LockstepError, match=says):
        await group_rules.set_rule(contoso.context, "sales", rule)
    with pytest.raises(LockstepError, match=says):
        await group_rules.create_dynamic_group(contoso.context, "new", rule)

    assert await members(contoso) == ["anna", "bo"]
    assert await contoso.fetch("select 1 from grp where display_name = 'new'") == []


async def test_a_group_of_a_source_and_one_with_nested_groups_have_no_rule(contoso: Hub) -> None:
    await groups.create_group(contoso.context, "above")
    await groups.change_members(contoso.context, "above", add=["sales"], groups_too=True)
    await contoso.fetch(
        """insert into grp (id, source, anchor, display_name, attributes)
        values (gen_random_uuid(), 'hr', 'g1', 'imported', '{"displayName": "imported"}')"""
    )

    with pytest.raises(LockstepError, match="groups as members"):
        await group_rules.set_rule(contoso.context, "above", [SALES])
    with pytest.raises(LockstepError, match="comes from the source hr"):
        await group_rules.set_rule(contoso.context, "imported", [SALES])
