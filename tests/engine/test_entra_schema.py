"""Entra's exported schema: read, applied, and written back semantically identical."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockstep.configuration.entra.schema import ImportedSchema, import_schema
from lockstep.configuration.entra.schema_export import export_schema
from lockstep.configuration.rules import (
    ConfigurationError,
    JobConfiguration,
    configuration_from_json,
    configuration_to_json,
)
from lockstep.engine.decisions.scope import decide_scope
from lockstep.engine.records import ObjectKind
from tests.engine.decision_cases import MOMENT, configuration, person, users

SCHEMA = orjson.loads((Path(__file__).parent / "cases" / "entra_schema.json").read_bytes())


def read(schema: Any = SCHEMA) -> tuple[ImportedSchema, JobConfiguration]:
    imported = import_schema(deepcopy(schema))
    return imported, configuration_from_json(imported.provisioning, version=1)


def edited(change: Any) -> dict[str, Any]:
    """The exported schema after *change* was made to our configuration's JSON."""
    provisioning = read()[0].provisioning
    change(provisioning["mappings"])
    return export_schema(configuration_from_json(provisioning, version=2))


def mapping_of(schema: dict[str, Any], index: int = 0) -> Any:
    return schema["synchronizationRules"][0]["objectMappings"][index]


def test_schema_that_was_read_is_written_back_identical() -> None:
    assert export_schema(read()[1]) == SCHEMA


def test_schema_survives_our_own_file() -> None:
    written = configuration_to_json(read()[1])

    assert export_schema(configuration_from_json(orjson.loads(orjson.dumps(written)), version=1)) == SCHEMA


def test_mappings_are_carried_out() -> None:
    people = users(read()[1])

    assert {(m.target, m.match, str(m.apply), str(m.flow), m.default) for m in people.attributes} == {
        ("userName", 1, "always", "whenChanged", None),
        ("active", 0, "always", "whenChanged", None),
        ("name.familyName", 0, "createOnly", "always", "Unknown"),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:organization", 0, "always", "whenChanged", None),
        ("displayName", 0, "always", "whenChanged", None),
    }
    assert people.by_target["name.familyName"].attribute.case_exact is False
    groups = read()[1].mapping_for(ObjectKind.GROUP)
    assert groups is not None
    assert (groups.enabled, sorted(groups.actions), groups.has_members) == (False, ["create", "update"], True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"department": "Sales", "mail": "a@b"}, True),
        ({"department": "Sales"}, False),
        ({"userPrincipalName": "anna@contoso.com"}, True),
        ({"userPrincipalName": "anna@fabrikam.com"}, False),
    ],
)
def test_filters_are_carried_out(values: dict[str, Any], expected: bool) -> None:
    config = read()[1]

    assert decide_scope(person(values), users(config), config, moment=MOMENT).in_scope is expected


def test_what_is_not_carried_out_is_reported_with_its_place() -> None:
    first = "synchronizationRules[0].objectMappings[0]"

    assert [(f.severity, f.place) for f in read()[0].findings] == [
        ("kept", f"{first}.scope.inputFilterGroups"),
        ("kept", f"{first}.attributeMappings[2].flowBehavior"),
        ("error", f"{first}.attributeMappings[4]"),
        ("warning", f"{first}.attributeMappings[5]"),
        ("kept", "synchronizationRules[0].objectMappings[2]"),
    ]
    assert "unknown function NoSuchFunction" in read()[0].findings[2].message
    assert read()[0].mapped == 7


def test_edit_of_ours_is_exported_and_nothing_else_changes() -> None:
    def change(mappings: Any) -> None:
        mappings[0]["attributes"][1]["expression"] = "Not([IsSoftDeleted])"

    schema = edited(change)

    source = mapping_of(schema)["attributeMappings"][1].pop("source")
    assert (source["expression"], source["name"], source["type"]) == ("Not([IsSoftDeleted])", "Not", "Function")
    original = deepcopy(SCHEMA)
    mapping_of(original)["attributeMappings"][1].pop("source")
    assert schema == original


def test_flow_types_that_we_change_are_exported_as_ours() -> None:
    schema = edited(lambda mappings: mappings[0].update(actions=["create", "update"]))

    assert mapping_of(schema)["flowTypes"] == "Add,Update"


def test_filter_that_we_change_keeps_what_was_kept_beside_it() -> None:
    schema = edited(lambda mappings: mappings[0]["scopingFilters"][0]["all"].pop())

    scope = mapping_of(schema)["scope"]
    assert [len(group["clauses"]) for group in scope["groups"]] == [1, 1]
    assert scope["inputFilterGroups"] == [{"name": "experimental", "clauses": []}]


def test_mapping_that_we_remove_is_removed() -> None:
    schema = edited(lambda mappings: mappings.pop(1))

    names = [mapping["sourceObjectName"] for mapping in schema["synchronizationRules"][0]["objectMappings"]]
    assert names == ["User", "Contact"]


def test_filter_that_cannot_be_judged_switches_its_mapping_off_and_is_kept() -> None:
    schema = deepcopy(SCHEMA)
    mapping_of(schema)["scope"]["groups"][0]["clauses"][0]["operatorName"] = "Valid Cert Match"

    imported, config = read(schema)

    assert users(config).enabled is False
    assert [f.place for f in imported.findings if "is disabled" in f.message] == [
        "synchronizationRules[0].objectMappings[0].scope.groups[0]"
    ]
    assert mapping_of(export_schema(config))["scope"] == mapping_of(schema)["scope"]


def test_configuration_of_our_own_can_be_exported_and_read_again() -> None:
    schema = export_schema(configuration())

    again = configuration_from_json(import_schema(schema).provisioning, version=1)

    assert [(m.target, m.match, m.source) for m in users(again).attributes] == [
        (m.target, m.match, m.source) for m in users(configuration()).attributes
    ]


def test_condition_that_entra_does_not_have_is_not_exported_quietly() -> None:
    config = configuration(mapping={"scopingFilters": [{"title": "Team", "all": [{"memberOf": "Sales"}]}]})

    with pytest.raises(ConfigurationError, match="cannot be exported"):
        export_schema(config)


@pytest.mark.parametrize("value", [{}, {"synchronizationRules": {}}, {"value": []}])
def test_what_is_no_schema_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="not a synchronization schema"):
        import_schema(value)
