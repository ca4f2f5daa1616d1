"""Configurations: read strictly, written back unchanged, and the attributes that they depend on."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
import yaml

from lockstep.configuration.rules import (
    ConfigurationError,
    OnLeaving,
    Scope,
    configuration_from_json,
    configuration_to_json,
    dependencies,
    manager_attributes,
)
from lockstep.engine.records import ObjectKind

DOCUMENTED = yaml.safe_load(
    r"""
mode: automatic
status: "on"
scope: assigned
schedule: { interval: PT40M, jitter: PT2M }
limits: { requestsPerSecond: 10, concurrency: 4, maxRetries: 8, membersPerPatch: 25 }
deletions: { threshold: 500, thresholdPercent: 20, onOutOfScope: disable, onSourceDeleted: disable, deleteAfter: P30D }
notificationEmail: idm-team@contoso.com
emailOnFailure: true
notificationDelivery: digest
mappings:
  - name: Synchronize Microsoft Entra users to Documo
    source: User
    target: urn:ietf:params:scim:schemas:core:2.0:User
    enabled: true
    actions: [create, update, delete]
    scopingFilters:
      - title: Sales only
        all:
          - { attribute: department, operator: EQUALS, value: Sales }
          - { attribute: userPrincipalName, operator: REGEX MATCH, value: '.*@contoso\.com' }
    attributes:
      - { target: userName, source: userPrincipalName, match: 1 }
      - { target: active, expression: 'Switch([IsSoftDeleted], , "False", "True", "True", "False")' }
      - { target: name.givenName, source: givenName }
      - { target: name.familyName, source: surname, default: Unknown, apply: always }
      - { target: 'roles[primary eq "True"].value', expression: 'SingleAppRoleAssignment([appRoleAssignments])' }
  - name: Provision Microsoft Entra groups
    source: Group
    target: urn:ietf:params:scim:schemas:core:2.0:Group
    enabled: false
"""
)
UNUSUAL = {
    "scope": "all",
    "deletions": {
        "threshold": None, "thresholdPercent": None, "percentFrom": 3, "onOutOfScope": "keep", "onSourceDisabled": "keep",
        "onSourceDeleted": "delete", "onPurged": "disable", "deleteAfter": None, "deleteAfterPurge": True, "onLost": "recreate",
    },
    "guards": {"privilegeGrants": 5, "emptiedAttributes": None, "matchingValues": 9, "percent": 50},
    "startDate": {"attribute": "employeeHireDate", "leadTime": "P7DT12H"},
    "nestedGroups": True,
    "defaultDomain": "contoso.com",
    "mappings": [
        {
            "name": "People",
            "source": "User",
            "target": "urn:ietf:params:scim:schemas:core:2.0:User",
            "enabled": True,
            "actions": [],
            "scopingFilters": [
                {
                    "title": "Odd",
                    "all": [
                        {"any": [{"not": {"memberOf": "Guests"}}, {"expression": 'IIF([a] = "1", "True", "False")'}]},
                        {"all": [
                            {"attribute": "b", "operator": "IS NULL"},
                            {"attribute": "c", "operator": "&", "value": "2", "of": "all"},
                        ]},
                    ],
                }
            ],
            "attributes": [
                {"target": "userName", "source": "userPrincipalName", "match": 2, "drift": "report"},
                {"target": "active", "constant": True, "drift": "enforce"},
                {"target": "title", "default": "x", "apply": "attributeAddOnly", "flow": "always", "clearWhenEmpty": True},
                {"target": "roles", "constant": ["a", "b"], "privileged": ["a"], "redact": True, "x-entra": {"kept": 1}},
            ],
            "attributeList": [{"name": "title", "type": "String", "caseExact": False, "required": True}],
            "x-entra": {"metadata": []},
        }
    ],
}  # fmt: skip


def read(value: Any) -> Any:
    return configuration_from_json(value, version=3)


@pytest.mark.parametrize("value", [DOCUMENTED, UNUSUAL, {}], ids=["documented", "unusual", "empty"])
def test_configuration_written_and_read_again_is_the_same(value: dict[str, Any]) -> None:
    written = configuration_to_json(read(value))

    assert configuration_to_json(read(written)) == written
    assert read(written) == read(value)


def test_unusual_settings_are_all_written() -> None:
    written = configuration_to_json(read(UNUSUAL))

    assert {key: written[key] for key in UNUSUAL} == UNUSUAL


@pytest.mark.parametrize("section", ["deletions", "guards"])
def test_every_limit_and_every_rule_for_leavers_can_be_configured(section: str) -> None:
    chosen = getattr(read(UNUSUAL), section)
    usual = type(chosen)()

    assert [one.name for one in fields(chosen) if getattr(chosen, one.name) == getattr(usual, one.name)] == []


def test_documented_file_is_read() -> None:
    config = read(DOCUMENTED)

    assert (config.version, config.scope) == (3, Scope.ASSIGNED)
    assert config.settings.interval == timedelta(minutes=40)
    assert config.deletions.on_out_of_scope is OnLeaving.DISABLE
    assert config.deletions.delete_after == timedelta(days=30)
    assert [mapping.enabled for mapping in config.objects] == [True, False]


def test_on_and_off_of_old_yaml_readers_are_understood() -> None:
    assert read({"status": True}).settings.status == "on"
    assert read({"status": False}).settings.status == "off"


def mapping_with(**attribute: Any) -> dict[str, Any]:
    return {"mappings": [{"name": "n", "attributes": [{"target": "userName", "source": "mail"}, attribute]}]}


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        ({"scop": "all"}, "scop", 'unknown key "scop", did you mean "scope"?'),
        ({"mappings": [{"name": "u", "attributes": [{"target": "id", "source": "mail"}]}]}, "mappings[0].attributes[0].target",
         "id is managed by the application"),
        ({"mappings": [{"name": "u", "attributes": [{"target": "meta.created", "source": "mail"}]}]},
         "mappings[0].attributes[0].target", "meta.created is managed by the application"),
        ({"scope": "everybody"}, "scope", 'unknown value "everybody"; allowed: assigned, all'),
        ({"deletions": {"treshold": 5}}, "deletions.treshold", 'unknown key "treshold", did you mean "threshold"?'),
        ({"deletions": {"threshold": "5"}}, "deletions.threshold", 'must be a whole number from 1 to 2,147,483,648, got "5"'),
        ({"deletions": {"threshold": True}}, "deletions.threshold", ", got true"),
        ({"deletions": {"deleteAfter": "30 days"}}, "deletions.deleteAfter", 'a duration such as "P30D"'),
        ({"limits": {"requestsPerSecond": 0}}, "limits.requestsPerSecond", "must be a number greater than 0"),
        ({"mappings": {}}, "mappings", "must be a list, got an object"),
        ({"mappings": [{}]}, "mappings[0].name", "is missing"),
        ({"mappings": [{"name": "n", "source": "Person"}]}, "mappings[0].source", 'unknown value "Person"'),
        ({"mappings": [{"name": "n", "actions": ["add"]}]}, "mappings[0].actions[0]", 'unknown action "add"'),
        (mapping_with(target="active", expresion="x"), "mappings[0].attributes[1].expresion", 'did you mean "expression"?'),
        (mapping_with(target="active", expression="Lft([a],1)"), "mappings[0].attributes[1].expression", "Left"),
        (mapping_with(target="active", source="a", constant="b"), "mappings[0].attributes[1].constant", "only one of"),
        (mapping_with(target="emails[type eq", source="a"), "mappings[0].attributes[1].target", "cannot be read"),
        (mapping_with(target="UserName", source="a"), "mappings[0].attributes[1].target", "mapped twice"),
        (mapping_with(target="title", match=1), "mappings[0].attributes[1].match", "needs a source"),
        (
            mapping_with(target="title", match=1, expression='SelectUniqueValue("a", "b")'),
            "mappings[0].attributes[1].match",
            "SelectUniqueValue",
        ),
        (mapping_with(target="title", apply="sometimes"), "mappings[0].attributes[1].apply", 'unknown value "sometimes"'),
        ({"status": "maybe"}, "status", "on or off"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_place(value: Any, place: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(value)

    assert raised.value.place == place
    assert message in raised.value.detail


def test_dependencies_are_what_mappings_filters_and_matching_read() -> None:
    config = read(DOCUMENTED)

    assert dependencies(config, ObjectKind.USER) == {
        "accountEnabled", "department", "givenName", "surname", "userPrincipalName",
    }  # fmt: skip
    assert dependencies(config, ObjectKind.GROUP) == frozenset()


def test_attribute_of_the_manager_depends_on_who_the_manager_is() -> None:
    asking = {"target": "title", "expression": "[manager.department]"}
    config = read({**UNUSUAL, "mappings": [{**UNUSUAL["mappings"][0], "attributes": [asking]}]})  # type: ignore[index]

    assert {"manager", "manager.department"} <= dependencies(config, ObjectKind.USER)
    assert manager_attributes(config, ObjectKind.USER) == {"department"}
    assert manager_attributes(read(DOCUMENTED), ObjectKind.USER) == frozenset()


def test_membership_and_start_date_are_dependencies() -> None:
    assert {"memberOf", "employeeHireDate", "a"} <= dependencies(read(UNUSUAL), ObjectKind.USER)
