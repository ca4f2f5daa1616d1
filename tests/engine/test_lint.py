"""Warnings about a configuration before it is used."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lockstep.configuration.findings import Finding
from lockstep.configuration.lint import lint
from lockstep.configuration.lint_privileges import PrivilegeCounts
from lockstep.configuration.rules import configuration_from_json
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.target_attributes import TargetAttribute
from lockstep.gallery.loader import load_gallery
from tests.engine.decision_cases import ATTRIBUTES, SWITCH, configuration

USER_NAME, ACTIVE = ATTRIBUTES[0], ATTRIBUTES[1]
SOURCES = {ObjectKind.USER: ["userPrincipalName", "givenName", "surname", "department", "mail"]}


def found(*attributes: Any, known: bool = False, **more: Any) -> list[tuple[str, str, str]]:
    findings = lint(configuration(*attributes, **more), source_attributes=SOURCES if known else None)
    return [(finding.severity, finding.place, finding.message) for finding in findings]


def test_documented_mapping_has_no_findings() -> None:
    assert found(*ATTRIBUTES, known=True) == []


@pytest.mark.parametrize("name", load_gallery().names())
def test_gallery_has_no_findings(name: str) -> None:
    template = load_gallery().template(name)

    assert lint(template.configuration(), target_attributes=template.attributes) == ()


@pytest.mark.parametrize(
    ("attributes", "more", "severity", "place", "message"),
    [
        ([{**USER_NAME, "match": 0}, ACTIVE], {}, "error", "mappings[0]", "no mapping is used for matching"),
        ([USER_NAME], {}, "warning", "mappings[0]", "deleted instead of disabled"),
        ([USER_NAME, {"target": "active", "constant": "True"}], {}, "warning", "mappings[0]", "always true, so no one is ever disabled"),
        ([USER_NAME, {"target": "active", "constant": "False"}], {}, "error", "mappings[0]", "always false, so every account"),
        ([USER_NAME, {"target": "active", "constant": "maybe"}], {}, "error", "mappings[0]", "neither true nor false"),
        (
            [USER_NAME, {"target": "active", "expression": 'Switch([IsSoftDeleted], , "False", "False", "True", "True")'}],
            {}, "error", "mappings[0]", "active is false for people who should have access",
        ),
        (
            [USER_NAME, {"target": "active", "expression": 'Switch([IsSoftDeleted], , "False", "True", "True", "True")'}],
            {}, "error", "mappings[0]", "active is true for people who have left",
        ),
        ([USER_NAME, ACTIVE], {"mapping": {"actions": ["create", "update"]}}, "warning", "mappings[0].actions", "purged people"),
        ([{**USER_NAME, "apply": "createOnly"}, ACTIVE], {}, "warning", "mappings[0].attributes[0].apply", "becomes outdated"),
        ([*ATTRIBUTES], {"scope": "all"}, "warning", "mappings[0].attributes[4]", "with the scope all"),
        (
            [USER_NAME, ACTIVE, {"target": "title", "source": "appRoleAssignments"}], {},
            "error", "mappings[0].attributes[2].source", "cannot be mapped directly",
        ),
        (
            [USER_NAME, ACTIVE, {"target": "manager", "expression": "ToUpper([manager])"}], {},
            "error", "mappings[0].attributes[2]", "refers to another object",
        ),
        (
            [USER_NAME, {"target": "active", "expression": SWITCH, "default": "maybe"}], {},
            "warning", "mappings[0].attributes[1].default", "is boolean",
        ),
        (
            [USER_NAME, ACTIVE, {"target": "title", "source": "surnam"}], {},
            "error", "mappings[0].attributes[2].source", 'did you mean "surname"',
        ),
        (
            [USER_NAME, ACTIVE, {"target": "title", "expression": "ToUpper([surnam])"}], {},
            "error", "mappings[0].attributes[2].expression", 'did you mean "surname"',
        ),
    ],
)  # fmt: skip
def test_mistake_is_noticed(attributes: Any, more: Any, severity: str, place: str, message: str) -> None:
    findings = found(*attributes, known=True, **more)

    assert [(s, p) for s, p, m in findings if message in m] == [(severity, place)]


ROLE = {"target": "roles", "privileged": ["Admin"]}
ASSIGNED = {**ROLE, "expression": "SingleAppRoleAssignment([appRoleAssignments])"}


@pytest.mark.parametrize(
    ("role", "people", "admins", "message"),
    [
        ({**ROLE, "constant": "admin"}, None, 0, "everyone would get the role Admin"),
        ({**ROLE, "constant": "Admin"}, 300, 300, "everyone would get the role Admin: 300 of 300 in scope"),
        ({**ROLE, "constant": "Member"}, 300, 0, ""),
        ({**ROLE, "source": "department"}, 300, 300, "everyone would get the role Admin: 300 of 300 in scope"),
        ({**ROLE, "source": "department"}, 300, 61, "many people would get the role Admin: 61 of 300 in scope"),
        ({**ROLE, "source": "department"}, 300, 60, ""),
        (ASSIGNED, 300, 299, ""),
        (ASSIGNED, 300, 300, "everyone would get the role Admin: 300 of 300 in scope"),
        (ASSIGNED, 2, 2, ""),
    ],
)
def test_privilege_for_everybody_is_noticed(role: Any, people: int | None, admins: int, message: str) -> None:
    given = None if people is None else PrivilegeCounts(people, Counter({("roles", "Admin"): admins}))

    findings = lint(configuration(USER_NAME, ACTIVE, role), given=given)

    assert [one.message for one in findings if "would get" in one.message] == ([message] if message else [])


def clause_found(**clause: Any) -> list[Finding]:
    config = configuration(mapping={"scopingFilters": [{"title": "t", "all": [{"any": [clause]}]}]})
    return [f for f in lint(config, source_attributes=SOURCES) if "scopingFilters" in f.place]


def test_filter_by_what_the_scope_computes_is_noticed() -> None:
    (finding,) = clause_found(attribute="IsSoftDeleted", operator="IS TRUE")

    assert (finding.severity, finding.place) == ("error", "mappings[0].scopingFilters[0]")


def test_filter_by_an_unknown_attribute_is_noticed() -> None:
    (finding,) = clause_found(attribute="departmnt", operator="EQUALS", value="Sales")

    assert 'did you mean "department"' in finding.message


def test_negative_clause_that_null_does_not_pass_is_noticed() -> None:
    (finding,) = clause_found(attribute="department", operator="NOT EQUALS", value="Sales")

    assert (
        finding.next_step
        == "If objects without department should match too, add a second filter with department IS NULL."
    )


def test_matching_attribute_that_cannot_be_filtered_is_noticed() -> None:
    title = {"target": "title", "source": "mail", "match": 1}
    config = configuration_from_json(
        {"mappings": [{"name": "n", "attributes": [title, ACTIVE]}]},
        version=1,
        attributes={ObjectKind.USER: [TargetAttribute("title")]},
    )

    assert "mappings[0].attributes[0].match" in [finding.place for finding in lint(config)]


def test_required_attribute_that_nothing_writes_is_noticed() -> None:
    targets = {
        ObjectKind.USER: [
            TargetAttribute("userName"),
            TargetAttribute("active"),
            TargetAttribute("title", required=True),
        ]
    }

    findings = lint(configuration(USER_NAME, ACTIVE), target_attributes=targets)

    assert [finding.message for finding in findings] == ["The application requires title, but no mapping writes it"]


def test_target_that_the_application_does_not_have_is_noticed() -> None:
    targets = {ObjectKind.USER: [TargetAttribute("userName"), TargetAttribute("activ")]}

    findings = lint(configuration(USER_NAME, ACTIVE), target_attributes=targets)

    assert [(f.place, "SchemaAttributeNotFound" in f.message) for f in findings] == [
        ("mappings[0].attributes[1].target", True)
    ]


def test_switched_off_mapping_is_not_judged() -> None:
    assert found(USER_NAME, mapping={"enabled": False}) == []


def test_unknown_attribute_in_the_expression_of_a_filter_is_noticed() -> None:
    filters = [{"title": "mail", "all": [{"expression": "IsPresent([mai])"}]}]
    [(severity, place, message)] = found(*ATTRIBUTES, mapping={"scopingFilters": filters}, known=True)

    assert (severity, place) == ("error", "mappings[0].scopingFilters[0].expression")
    assert 'did you mean "mail"' in message
