"""The desired values of an account: null, defaults, flow types, types, references, generated values, errors."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockstep.configuration.rules import JobConfiguration
from lockstep.engine.decisions.mapping import base_after, held_values, map_account
from lockstep.engine.moment import Moment
from lockstep.engine.plans import MappedAccount, desired_hash
from lockstep.engine.records import Assignment, SourceObject
from tests.engine.decision_cases import (
    ADMIN,
    ANNA,
    ATTRIBUTES,
    MEMBER,
    MOMENT,
    configuration,
    name_of,
    person,
    rows,
    users,
)

USER_NAME = {"target": "userName", "source": "userPrincipalName", "match": 1}


def map_person(config: JobConfiguration, who: SourceObject, *, creating: bool = True, **more: Any) -> MappedAccount:
    given = {"moment": MOMENT, "is_soft_deleted": False, "generated": {}, "account_ids": {}, **more}
    return map_account(who, users(config), configuration=config, creating=creating, **given)


def shown(mapped: MappedAccount, target: str) -> Any:
    if target in mapped.cleared:
        return "clear"
    value = mapped.values.get(target, "-")
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("row", rows("mapping.jsonl"), ids=name_of)
def test_mapping(row: dict[str, Any]) -> None:
    target = row.get("target", "title")
    extra = {"attributeList": [{"name": target, **row["list"]}]} if "list" in row else {}
    config = configuration(USER_NAME, {"target": target, **row["map"]}, mapping=extra)
    assignments = tuple(Assignment(role) for role in row.get("roles", [MEMBER.id]))
    who = person(ANNA | {"givenName": None} | row["in"], assignments=assignments)

    answers = [shown(map_person(config, who, creating=creating), target) for creating in (True, False)]

    assert answers == [row["create"], row["update"]]


@pytest.mark.parametrize(
    "mapping", [{"expression": 'Split([department], ";")'}, {"source": "department", "apply": "multiValueAddOnly"}]
)
def test_mapping_that_gives_several_values_makes_an_undeclared_attribute_multi_valued(mapping: dict[str, Any]) -> None:
    config = configuration(USER_NAME, {"target": "urn:x:tags", **mapping}, {"target": "title", **mapping})
    mapped = map_person(config, person(ANNA | {"department": "one"}))

    several = {attribute.target: attribute.attribute.multi_valued for attribute in users(config).attributes}
    assert several == {"userName": False, "urn:x:tags": True, "title": False}
    assert mapped.values["title"] == "one", "what the schema declares stays as it says"


def test_is_soft_deleted_is_true_for_whoever_must_have_no_access() -> None:
    mapped = map_person(configuration(), person(), creating=False, is_soft_deleted=True)

    assert mapped.values["active"] is False


def test_first_role_in_the_role_list_wins_whatever_the_order_of_assignments() -> None:
    both = (Assignment(MEMBER.id), Assignment(ADMIN.id, via_group="g", via_group_name="Admins"))

    mapped = map_person(configuration(), person(assignments=both))

    assert mapped.values['roles[primary eq "True"].value'] == "Admin"


def test_required_attribute_without_value_is_a_problem_on_create_only() -> None:
    config = configuration(
        USER_NAME,
        {"target": "name.familyName", "source": "surname"},
        mapping={"attributeList": [{"name": "name.familyName", "required": True}]},
    )

    created = map_person(config, person(ANNA | {"surname": None}))
    updated = map_person(config, person(ANNA | {"surname": None}), creating=False)

    assert created.problem is not None
    assert created.problem.code == "MissingValues"
    assert "name.familyName" in created.problem.text
    assert updated.problem is None


def test_expression_that_fails_is_told_with_its_target() -> None:
    config = configuration(USER_NAME, {"target": "title", "expression": 'Item(Split([mail], "@"), 2)'})

    problem = map_person(config, person(ANNA | {"mail": "anna"})).problem

    assert problem is not None
    assert problem.code == "InvalidExpression"
    assert problem.text.startswith('The mapping of title failed: Expression "Item(Split([mail], "@"), 2)": Item ')


def test_value_of_a_redacted_mapping_is_not_quoted_in_an_error() -> None:
    secret = 'Redact(DateAdd("d", 1, [secret]))'
    config = configuration(USER_NAME, {"target": "title", "expression": secret})

    problem = map_person(config, person(ANNA | {"secret": "s3cr3t-value"})).problem

    assert problem is not None
    assert "s3cr3t-value" not in problem.text


def test_expression_may_leave_the_whole_object_out() -> None:
    config = configuration(
        USER_NAME, {"target": "title", "expression": 'IIF([department] = "Sales", IgnoreObjectFlow, "x")'}
    )

    problem = map_person(config, person()).problem

    assert problem is not None
    assert problem.code == "ImportSkipped"


def test_reference_becomes_the_others_account() -> None:
    config = configuration(USER_NAME, {"target": "manager", "source": "manager"})

    mapped = map_person(config, person(references={"manager": "p-9"}), account_ids={"p-9": "u-9"})

    assert mapped.values["manager"] == "u-9"
    assert mapped.missing_references == ()


def test_reference_to_somebody_without_account_waits_and_clears_nothing() -> None:
    config = configuration(USER_NAME, {"target": "manager", "source": "manager", "clearWhenEmpty": True})

    mapped = map_person(config, person(references={"manager": "p-9"}), creating=False)

    assert "manager" not in mapped.values
    assert mapped.cleared == frozenset()
    assert mapped.missing_references == (("manager", "p-9"),)


@pytest.mark.parametrize(
    "expression",
    ["Guid()", "RandomString(12,2,2,2,2)", 'FormatDateTime(Now(), , "M/d/yyyy h:mm:ss tt", "yyyy")', "Now()"],
)
def test_generated_value_is_made_once(expression: str) -> None:
    config = configuration(USER_NAME, {"target": "title", "expression": expression})
    later = Moment(MOMENT.now + timedelta(days=400), b"other")

    first = map_person(config, person())
    second = map_person(config, person(), creating=False, moment=later, generated=first.generated)

    assert first.values["title"]
    assert second.values["title"] == first.values["title"]
    assert second.generated == first.generated


def test_generated_value_of_another_expression_is_made_anew() -> None:
    old = map_person(configuration(USER_NAME, {"target": "title", "expression": "Guid()"}), person())
    config = configuration(USER_NAME, {"target": "title", "expression": 'Append(Guid(), "-x")'})

    assert map_person(config, person(), generated=old.generated).values["title"] != old.values["title"]


def test_now_that_decides_follows_the_time() -> None:
    decides = 'IIF(DateDiff("d", Now(), CDate([leaves])) >= 0, "staff", "former")'
    config = configuration(USER_NAME, {"target": "title", "expression": decides})
    who = person(ANNA | {"leaves": "2026-03-20"})

    before = map_person(config, who)
    after = map_person(config, who, moment=Moment(MOMENT.now + timedelta(days=30)), generated=before.generated)

    assert (before.values["title"], after.values["title"]) == ("staff", "former")


def test_two_attributes_get_different_random_values() -> None:
    config = configuration(
        USER_NAME, {"target": "title", "expression": "Guid()"}, {"target": "nickName", "expression": "Guid()"}
    )

    values = map_person(config, person()).values

    assert values["title"] != values["nickName"]


def test_members_of_a_group_are_no_part_of_its_values() -> None:
    config = configuration(USER_NAME, {"target": "members", "source": "members"})

    assert "members" not in map_person(config, person(ANNA | {"members": ["a"]})).values


def test_hash_does_not_depend_on_order_but_on_what_is_cleared() -> None:
    assert desired_hash({"a": 1, "b": ("x", "y")}) == desired_hash({"b": ("x", "y"), "a": 1})
    assert desired_hash({"a": 1}) != desired_hash({"a": 2})
    assert desired_hash({"a": 1}) != desired_hash({"a": 1}, cleared=("b",))


def test_held_values_are_read_by_target_path() -> None:
    resource = {
        "userName": "Anna",
        "active": True,
        "name": {"givenName": "Anna"},
        "roles": [{"primary": True, "value": "Admin"}],
    }

    assert held_values(users(configuration()), resource) == {
        "userName": "Anna",
        "active": True,
        "name.givenName": "Anna",
        'roles[primary eq "True"].value': "Admin",
    }


def test_base_after_a_write_is_what_was_sent_overlaid_with_what_came_back() -> None:
    sent = {"userName": "anna@contoso.com", "name.givenName": "Anna"}
    before = {"name.familyName": "Old", "active": True}

    base = base_after(before, sent, ("name.familyName",), {"userName": "Anna@contoso.com"})

    assert base == {"userName": "Anna@contoso.com", "name.givenName": "Anna", "active": True}


def test_mapping_many_attributes_is_bounded_by_their_number() -> None:
    config = configuration(*ATTRIBUTES)

    assert len(map_person(config, person()).values) == 5


@pytest.mark.parametrize("value", ["half a pair \ud800", 2**80, 1.5])
def test_hash_is_total(value: Any) -> None:
    assert desired_hash({"title": value}) != desired_hash({"title": "x"})


HOLLOW = orjson.loads((Path(__file__).parents[1] / "cases" / "engine-04-hollow-element.json").read_bytes())


@pytest.mark.parametrize("creating", [True, False])
@pytest.mark.parametrize("mail", [None, "", "anna@contoso.com"])
def test_element_that_only_constants_fill_is_not_sent(creating: bool, mail: str | None) -> None:
    config = configuration(USER_NAME, *HOLLOW["mappings"])

    mapped = map_person(config, person(ANNA | HOLLOW["person"] | {"mail": mail}), creating=creating)

    paths = [one["target"] for one in HOLLOW["mappings"]] if mail else []
    assert list(mapped.values) == ["userName", *paths]


def test_element_of_constants_alone_is_sent() -> None:
    constants = {'emails[type eq "work"].value': "team@contoso.com", 'emails[type eq "work"].primary': "True"}
    config = configuration(USER_NAME, *({"target": path, "constant": value} for path, value in constants.items()))

    assert list(map_person(config, person()).values) == ["userName", *constants]
