"""Schemas that Entra exports are converted to configuration files and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from lockstep.configuration.entra.schema import import_schema
from lockstep.configuration.entra.schema_export import export_schema
from lockstep.configuration.files.file import read_documents
from lockstep.configuration.files.write import write_documents
from lockstep.configuration.rules import configuration_from_json
from tests.engine.config.config_cases import application

HERE = Path(__file__).parent


def schema(name: str) -> Any:
    return orjson.loads((HERE / name).read_bytes())


def through_a_file(theirs: Any) -> Any:
    """*theirs* imported, written as YAML, read, and exported again."""
    text = write_documents([application(provisioning=import_schema(theirs).provisioning)])
    (document,) = read_documents(text, "a.yaml")
    return export_schema(configuration_from_json(document.spec["provisioning"], version=1))


@pytest.mark.parametrize("name", ["entra_documo.json", "entra_custom_scim.json"])
def test_a_schema_comes_back_identical_from_a_file(name: str) -> None:
    assert through_a_file(schema(name)) == schema(name)


@pytest.mark.parametrize("name", ["entra_documo.json", "entra_custom_scim.json"])
def test_parts_that_nobody_knows_come_back_from_everywhere(name: str) -> None:
    def with_unknown(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: with_unknown(inner) for key, inner in value.items()} | {"x-unknown": [1, "on", None]}
        return [with_unknown(inner) for inner in value] if isinstance(value, list) else value

    theirs = with_unknown(schema(name))

    assert through_a_file(theirs) == theirs


def test_documo_is_mapped_whole() -> None:
    found = import_schema(schema("entra_documo.json"))

    assert (found.mapped, found.findings) == (5, [])
    assert [one["target"] for one in found.provisioning["mappings"][0]["attributes"]] == [
        "userName",
        "active",
        "name.givenName",
        "name.familyName",
        'roles[primary eq "True"].value',
    ]


def test_a_function_that_there_is_not_is_reported_with_its_place_and_character() -> None:
    found = import_schema(schema("entra_custom_scim.json"))

    errors = [one for one in found.findings if one.severity == "error"]
    assert [one.place for one in errors] == ["synchronizationRules[0].objectMappings[1].attributeMappings[8]"]
    assert "unknown function Coalesce2" in errors[0].message
    assert "at character 1" in errors[0].message


def test_users_and_groups_filters_and_expressions_are_carried_over() -> None:
    groups, users = import_schema(schema("entra_custom_scim.json")).provisioning["mappings"]

    assert (groups["source"], users["source"], users["actions"]) == ("Group", "User", ["create", "update"])
    assert [one["title"] for one in users["scopingFilters"]] == ["Sales in Norway", "Contractors"]
    by_target = {one["target"]: one for one in users["attributes"]}
    assert by_target['emails[type eq "work"].value']["match"] == 2
    assert by_target["displayName"]["apply"] == "createOnly"
    assert by_target["preferredLanguage"]["constant"] == "nb-NO"
    assert by_target["name.formatted"]["expression"] == 'Join(" ", [givenName], [surname])'
