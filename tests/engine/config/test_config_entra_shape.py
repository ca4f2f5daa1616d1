"""Schemas of Entra with every variant of a mapping, and with parts of the wrong kind."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockstep.configuration.document.configuration_json import configuration_from_json, configuration_to_json
from lockstep.configuration.document.strict_json import ConfigurationError
from lockstep.configuration.entra.schema import import_schema
from lockstep.configuration.entra.schema_export import export_schema
from lockstep.engine.expressions.catalogue import CATALOGUE
from lockstep.errors import LockstepError

EXAMPLE: dict[str, Any] = orjson.loads((Path(__file__).parents[1] / "cases" / "entra_schema.json").read_bytes())
FLOW_TYPES = ("Always", "ObjectAddOnly", "MultiValueAddOnly", "ValueAddOnly", "AttributeAddOnly")
EXPRESSIONS = [example.expression for function in CATALOGUE.values() for example in function.examples]
CLAUSES = [
    ("EQUALS", ["Sales"]), ("NOT EQUALS", ["Sales"]), ("IS TRUE", []), ("IS FALSE", []), ("IS NULL", []),
    ("IS NOT NULL", []), ("REGEX MATCH", ["^S"]), ("NOT REGEX MATCH", ["^S"]), ("Greater_Than", ["5"]),
    ("Greater_Than_OR_EQUALS", ["5"]), ("Includes", ["Sales"]), ("ENDS_WITH", ["s"]), ("&", ["4"]), ("!&", ["4"]),
]  # fmt: skip


def there_and_back(schema: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return the findings, and the export after the document has been stored."""
    found = import_schema(copy.deepcopy(schema))
    stored = configuration_to_json(configuration_from_json(found.provisioning, version=0))
    errors = [one.message for one in found.findings if one.severity == "error"]
    return errors, export_schema(configuration_from_json(stored, version=0))


def test_every_function_flow_type_and_behaviour_comes_back_identical() -> None:
    schema = copy.deepcopy(EXAMPLE)
    variants = itertools.cycle(itertools.product(FLOW_TYPES, ("FlowWhenChanged", "FlowAlways"), (None, "", "x")))
    schema["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"] = [
        {
            "defaultValue": default,
            "exportMissingReferences": index % 2 == 0,
            "flowBehavior": behaviour,
            "flowType": flow_type,
            "matchingPriority": 0,
            "targetAttributeName": f"urn:x:1.0:User:a{index}",
            "source": {"expression": text, "name": text.split("(")[0], "parameters": [], "type": "Function"},
        }
        for index, (text, (flow_type, behaviour, default)) in enumerate(zip(EXPRESSIONS, variants, strict=False))
    ]

    errors, back = there_and_back(schema)

    assert back == schema
    assert errors == []


@pytest.mark.parametrize(("operator", "values"), CLAUSES)
def test_every_operator_of_a_filter_is_carried_out_and_comes_back(operator: str, values: list[str]) -> None:
    schema = copy.deepcopy(EXAMPLE)
    clause = {"operatorName": operator, "sourceOperandName": "department", "targetOperand": {"values": values}}
    schema["synchronizationRules"][0]["objectMappings"][0]["scope"] = {
        "categoryFilterGroups": [],
        "groups": [{"clauses": [clause], "name": "Some"}],
        "inputFilterGroups": [],
    }

    errors, back = there_and_back(schema)

    assert back == schema
    assert [error for error in errors if "filter" in error] == []


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*path, key))


@pytest.mark.parametrize("junk", [None, "x", 5, [None], {"a": 1}, True], ids=str)
def test_a_part_of_the_wrong_kind_is_refused_or_kept_but_never_a_crash(junk: Any) -> None:
    for path in places(EXAMPLE):
        schema = copy.deepcopy(EXAMPLE)
        part: Any = schema
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = junk
        try:
            there_and_back(schema)
        except LockstepError:
            continue


def test_a_part_of_the_wrong_kind_is_told_with_its_place() -> None:
    schema = copy.deepcopy(EXAMPLE)
    schema["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"] = [None]

    with pytest.raises(ConfigurationError) as refused:
        import_schema(schema)

    assert "synchronizationRules[0].objectMappings[0].attributeMappings[0]" in str(refused.value)
    assert "must be an object" in str(refused.value)


def test_a_tree_that_is_nested_without_end_is_refused() -> None:
    source: dict[str, Any] = {}
    for _ in range(500):
        source = {"parameters": [{"key": "source", "value": source}]}
    schema = copy.deepcopy(EXAMPLE)
    schema["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"][0]["source"] = source

    with pytest.raises(ConfigurationError, match="nested more than"):
        import_schema(schema)
