"""The published JSON Schema accepts exactly what reading accepts, key by key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockstep.configuration.files.file import read_documents
from lockstep.configuration.files.schema import json_schema
from lockstep.configuration.files.yaml_reading import read_yaml
from lockstep.errors import LockstepError
from tests.engine.config.config_cases import CONTOSO

PUBLISHED = Path(__file__).parents[3] / "docs" / "reference" / "lockstep.schema.json"
KEYS_OF = re.compile(r"unknown key \"zzzzzzzz\"; allowed: (.*)$")
# Objects that the file of the example does not have, and where they would stand.
MORE = """\
apiVersion: lockstep/v1
kind: Tenant
metadata: {name: more}
spec:
  ldapSignIn: {url: 'ldaps://dc1.contoso.test', baseDn: 'dc=contoso,dc=test', bindDn: 'cn=reader'}
---
apiVersion: lockstep/v1
kind: Source
metadata: {name: files}
spec:
  type: csv
  connection:
    files: [{path: people.csv}]
---
apiVersion: lockstep/v1
kind: Group
metadata: {name: Engineers}
spec:
  description: Everybody who builds
  scopingFilters:
    - title: Engineers
      all: [{attribute: department, operator: EQUALS, value: Engineering}]
---
apiVersion: lockstep/v1
kind: Application
metadata: {name: more}
spec:
  template: documo
  provisioning:
    guards: {percent: 10}
    startDate: {attribute: employeeHireDate}
    mappings:
      - name: Users
        attributeList: [{name: title}]
"""


def test_the_published_schema_is_current() -> None:
    assert orjson.loads(PUBLISHED.read_bytes()) == json_schema()


def objects(
    value: Any, schema: dict[str, Any], place: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], list[str]]]:
    """Every object of *value* with the keys that the schema has for it."""
    schema = resolved(schema, value)
    if isinstance(value, dict):
        if "properties" in schema:
            yield place, sorted(schema["properties"])
        for key, inner in value.items():
            if key in schema.get("properties", {}):
                yield from objects(inner, schema["properties"][key], (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from objects(inner, schema.get("items", {}), (*place, index))


def resolved(schema: dict[str, Any], value: Any) -> dict[str, Any]:
    if "$ref" in schema:
        schema = json_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    choices = schema.get("oneOf", schema.get("anyOf"))
    if not choices:
        return schema
    if isinstance(value, dict) and "kind" in value:
        return next(choice for choice in choices if choice["properties"]["kind"]["const"] == value["kind"])
    # The keys of all alternatives; reading decides which of them may be combined.
    return {"properties": {key: inner for choice in choices for key, inner in choice.get("properties", {}).items()}}


def every_object() -> list[Any]:
    found = []
    for document in [*read_yaml(CONTOSO, "a.yaml"), *read_yaml(MORE, "b.yaml")]:
        if document.value["spec"].get("type") == "ldap":
            continue  # nothing opens it yet, and the schema does not offer it
        for place, keys in objects(document.value, json_schema()):
            name = f"{document.value['kind']}.{'.'.join(map(str, place))}"
            found.append(pytest.param(document.value, place, keys, id=name))
    return found


@pytest.mark.parametrize(("document", "place", "keys"), every_object())
def test_the_schema_has_the_keys_that_reading_asks_for(document: Any, place: tuple[Any, ...], keys: list[str]) -> None:
    changed = inner = deepcopy(document)
    for step in place:
        inner = inner[step]
    inner["zzzzzzzz"] = 1

    with pytest.raises(LockstepError) as refused:
        read_documents(orjson.dumps(changed).decode(), "a.json")

    told = KEYS_OF.search(refused.value.detail)
    assert told is not None, refused.value.detail
    assert told.group(1).split(", ") == keys
