"""The difference between a file and the configuration in force."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from lockstep.configuration.files.difference import difference
from lockstep.configuration.files.file import ConfigDocument
from tests.engine.config.config_cases import application
from tests.engine.config.config_strategies import documents

USERS: dict[str, Any] = {
    "name": "Users",
    "source": "User",
    "target": "urn:ietf:params:scim:schemas:core:2.0:User",
    "enabled": True,
    "actions": ["create", "update", "delete"],
    "attributes": [
        {"target": "userName", "source": "userPrincipalName", "match": 1},
        {"target": "title", "source": "jobTitle"},
    ],
}
CURRENT: dict[str, Any] = {
    "template": "documo",
    "credentials": {"authentication": "bearer", "tenantUrl": "https://api.documo.com/scim/v2"},
    "roles": [{"value": "admin", "displayName": "Admin"}, {"value": "member", "displayName": "Member"}],
    "assignments": [{"group": "sales", "role": "member"}, {"user": "kim@contoso.test"}],
    "provisioning": {"mode": "automatic", "status": "off", "scope": "assigned", "mappings": [USERS]},
}


def lines(*, prune: bool = False, **sections: object) -> list[str]:
    return [change.line for change in difference(application(**sections), CURRENT, prune=prune).changes]


def mapping(**changes: object) -> dict[str, object]:
    return {"mappings": [USERS | changes]}


def test_what_is_in_force_does_not_differ_from_itself() -> None:
    declared = application(**{key: value for key, value in CURRENT.items() if key != "template"})

    assert difference(declared, CURRENT, prune=True).changes == ()


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"provisioning": {"scope": "all"}}, ['~ provisioning.scope: "assigned" -> "all"']),
        ({"provisioning": {"status": "on"}}, ['~ provisioning.status: "off" -> "on"']),
        ({"credentials": {"tenantUrl": "https://b.test"}}, [
            '~ credentials.tenantUrl: "https://api.documo.com/scim/v2" -> "https://b.test"']),
        ({"credentials": {"secretTokenRef": "env:OTHER"}}, []),
        ({"provisioning": {"deletions": {"threshold": 5, "onOutOfScope": "keep"}}}, [
            "~ provisioning.deletions.threshold: (none) -> 5",
            "~ provisioning.deletions.thresholdPercent: (none) -> 20",
            '~ provisioning.deletions.onOutOfScope: (none) -> "keep"',
            '~ provisioning.deletions.onSourceDeleted: (none) -> "disable"',
            '~ provisioning.deletions.deleteAfter: (none) -> "P30D"']),
        ({"assignments": [{"group": "sales", "role": "admin"}, {"user": "kim@contoso.test"}]}, [
            '~ assignments[group sales].role: "member" -> "admin"']),
        ({"assignments": [{"group": "sales", "role": "member"}, {"user": "lee@contoso.test", "role": "admin"}]}, [
            '+ assignments[user lee@contoso.test]: user: "lee@contoso.test", role: "admin"',
            "- assignments[user kim@contoso.test]   (stays; --prune removes it)"]),
        ({"roles": [{"value": "member", "displayName": "Member"}, {"value": "admin", "displayName": "Chief"}]}, [
            '~ roles[admin].displayName: "Admin" -> "Chief"',
            '~ roles.order: ["admin", "member"] -> ["member", "admin"]']),
        ({"roles": [{"value": "admin", "displayName": "Admin"}]}, [
            "- roles[member]   (stays; --prune removes it)"]),
        ({"provisioning": mapping(enabled=False)}, ["~ provisioning.mappings[Users].enabled: true -> false"]),
        ({"provisioning": mapping(name="People")}, ['~ provisioning.mappings[People].name: "Users" -> "People"']),
        ({"provisioning": mapping(attributes=[*reversed(USERS["attributes"])])}, []),
        ({"provisioning": mapping(attributes=[USERS["attributes"][0], {"target": "title", "constant": "x"}])}, [
            '~ provisioning.mappings[Users].attributes[title].constant: (none) -> "x"',
            '~ provisioning.mappings[Users].attributes[title].source: "jobTitle" -> (none)']),
        ({"provisioning": mapping(attributes=[USERS["attributes"][0], {"target": "nickName", "source": "x"}])}, [
            '+ provisioning.mappings[Users].attributes[nickName]: target: "nickName", source: "x"',
            "- provisioning.mappings[Users].attributes[title]   (stays; --prune removes it)"]),
        ({"provisioning": mapping(scopingFilters=[
            {"title": "Sales", "all": [{"attribute": "department", "operator": "IS NULL"}]}])}, [
            '+ provisioning.mappings[Users].scopingFilters[Sales]: title: "Sales", '
            'all: [attribute: "department", operator: "IS NULL"]']),
    ],
)  # fmt: skip
def test_each_difference_is_one_line(sections: dict[str, Any], expected: list[str]) -> None:
    assert lines(**sections) == expected


def test_what_the_file_does_not_have_stays_unless_pruned() -> None:
    declared = application(provisioning=mapping(attributes=USERS["attributes"][:1], enabled=False))

    kept = difference(declared, CURRENT, prune=False).spec["provisioning"]["mappings"][0]
    pruned = difference(declared, CURRENT, prune=True).spec["provisioning"]["mappings"][0]

    assert [one["target"] for one in kept["attributes"]] == ["userName", "title"]
    assert [one["target"] for one in pruned["attributes"]] == ["userName"]


def test_only_sections_that_differ_are_changed() -> None:
    declared = application(provisioning={"scope": "all", "status": "off"}, roles=CURRENT["roles"])

    assert difference(declared, CURRENT, prune=True).spec == {"provisioning": {"scope": "all"}}


def test_two_filters_of_one_name_are_two_filters() -> None:
    conditions = [[{"attribute": "city", "operator": "EQUALS", "value": value}] for value in ("Oslo", "Bergen")]
    filters = [{"title": "Filter", "all": condition} for condition in conditions]

    spec = difference(application(provisioning=mapping(scopingFilters=filters)), CURRENT, prune=True).spec

    assert spec["provisioning"]["mappings"][0]["scopingFilters"] == filters


def test_what_the_gallery_knows_stays_where_the_file_says_nothing_of_it() -> None:
    guarded = {"target": "roles", "source": "x", "privileged": ["Admin"]}
    known = [{"name": "title", "type": "String", "caseExact": False}]
    current = CURRENT | {"provisioning": {"mappings": [USERS | {"attributes": [guarded], "attributeList": known}]}}
    declared = application(provisioning=mapping(attributes=[{"target": "roles", "source": "y"}]))

    found = difference(declared, current, prune=True)

    (merged,) = found.spec["provisioning"]["mappings"]
    assert merged["attributes"] == [{"target": "roles", "source": "y", "privileged": ["Admin"]}]
    assert merged["attributeList"] == known
    assert len(found.changes) == 1


def applied(current: dict[str, Any], spec: Any) -> dict[str, Any]:
    return {**current, **spec, "provisioning": {**current["provisioning"], **spec.get("provisioning", {})}}


@settings(max_examples=40, deadline=None)
@given(documents(), documents())
def test_nothing_differs_after_applying(declared: ConfigDocument, before: ConfigDocument) -> None:
    kept = applied(dict(before.spec), difference(declared, before.spec, prune=False).spec)
    pruned = applied(dict(before.spec), difference(declared, before.spec, prune=True).spec)

    assert all(change.is_kept for change in difference(declared, kept, prune=False).changes)
    assert difference(declared, pruned, prune=True).changes == ()
