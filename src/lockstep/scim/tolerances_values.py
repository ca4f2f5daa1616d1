"""Tolerances for values in a resource or a PATCH, one function each. Each docstring says what clients send and which clients do it.

Each function takes a value and its attribute. If there is nothing to correct, it returns the value that it was given. *listed* is true if
the value is the whole list of a multi-valued attribute, and false if it is a single value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from lockstep.scim.schema import Attribute

ValueTolerance = Callable[[Any, Attribute, bool], Any]

_INTEGER = re.compile(r"-?\d{1,18}\Z", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,18})?\Z", re.ASCII)


def booleans_as_text(value: Any, attribute: Attribute, listed: bool) -> Any:
    """`"active": "False"` instead of `false`: Microsoft Entra without aadOptscim062020; some OneLogin connectors."""
    if attribute.type == "boolean" and isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return value


def booleans_as_yes_or_no(value: Any, attribute: Attribute, listed: bool) -> Any:
    """`"active": "No"` instead of `false`: connectors written in-house, scripts that copy a column of an HR system."""
    if attribute.type == "boolean" and isinstance(value, str) and value.strip().lower() in ("yes", "no"):
        return value.strip().lower() == "yes"
    return value


def numbers_as_text(value: Any, attribute: Attribute, listed: bool) -> Any:
    """`"level": "5"` instead of `5`: Microsoft Entra, which keeps every source value as a string."""
    if isinstance(value, str) and not listed:
        if attribute.type == "integer" and _INTEGER.match(value):
            return int(value)
        if attribute.type == "decimal" and _DECIMAL.match(value):
            return float(value) if "." in value else int(value)
    return value


def texts_as_numbers(value: Any, attribute: Attribute, listed: bool) -> Any:
    """`"employeeNumber": 701984` instead of `"701984"`: OneLogin and JumpCloud custom attributes."""
    if attribute.type == "string" and type(value) is int:
        return str(value)
    return value


def list_as_object(value: Any, attribute: Attribute, listed: bool) -> Any:
    """`"emails": {"value": ...}` instead of a list: OneLogin."""
    return [value] if listed and isinstance(value, dict) else value


def elements_as_text(value: Any, attribute: Attribute, listed: bool) -> Any:
    """`"members": ["<id>"]` or `"emails": "a@b.c"` instead of objects: Microsoft's test collection, Google, scripts."""
    if not attribute.multi_valued or not isinstance(value, str):
        return value
    if listed:
        return [value] if value else []
    return {"value": value} if attribute.sub("value") is not None else value


def manager_as_text(value: Any, attribute: Attribute, listed: bool) -> Any:
    """`"manager": "<id>"` instead of `{"value": "<id>"}`, and `""` to clear it: Microsoft Entra."""
    if not attribute.is_complex or attribute.multi_valued or attribute.sub("value") is None:
        return value
    if isinstance(value, str):
        return {"value": value} if value else None
    if isinstance(value, dict) and value.get("value") == "":
        return None
    return value


def single_value_in_list(value: Any, attribute: Attribute, listed: bool) -> Any:
    """`"manager": [{"value": ...}]` or `[{"$ref": null, "value": "x"}]` for one value: Microsoft Entra's documentation."""
    if attribute.multi_valued or not isinstance(value, list) or len(value) != 1:
        return value
    only = value[0]
    if not attribute.is_complex and isinstance(only, dict) and "value" in only:
        return only["value"]
    return only


def roles_as_json_text(value: Any, attribute: Attribute, listed: bool) -> Any:
    """`"roles": [{"value": "{\\"id\\":..,\\"value\\":\\"25\\",\\"displayName\\":\\"Role\\"}"}]`: Entra's app role functions."""
    if listed or not attribute.multi_valued or attribute.name not in ("roles", "entitlements"):
        return value
    text = value.get("value") if isinstance(value, dict) else value
    if not isinstance(text, str) or not text.startswith("{"):
        return value
    try:
        inner = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return value
    role = inner.get("value") or inner.get("displayName") if isinstance(inner, dict) else None
    if not isinstance(role, str):
        return value
    result = dict(value) if isinstance(value, dict) else {}
    result["value"] = role
    display = inner.get("displayName") or inner.get("display")
    if isinstance(display, str):
        result.setdefault("display", display)
    if isinstance(inner.get("type"), str):
        result.setdefault("type", inner["type"])
    if isinstance(inner.get("primary"), bool):
        result.setdefault("primary", inner["primary"])
    return result


VALUE_TOLERANCES: Final[tuple[ValueTolerance, ...]] = (
    single_value_in_list,
    list_as_object,
    roles_as_json_text,
    elements_as_text,
    manager_as_text,
    booleans_as_text,
    booleans_as_yes_or_no,
    numbers_as_text,
    texts_as_numbers,
)


def forgive_value(
    value: Any, attribute: Attribute, *, listed: bool, tolerances: tuple[ValueTolerance, ...], applied: set[str]
) -> Any:
    """Correct *value*, and everything nested in it, as far as *tolerances* allow. Add the names of the tolerances that were used
    to *applied*.
    """
    if type(value) is str and attribute.type == "string" and not attribute.multi_valued:
        return value
    for tolerance in tolerances:
        right = tolerance(value, attribute, listed)
        if right is not value:
            applied.add(tolerance.__name__)
            value = right
    if listed:
        if isinstance(value, list):
            return [
                forgive_value(item, attribute, listed=False, tolerances=tolerances, applied=applied) for item in value
            ]
    elif isinstance(value, dict) and attribute.is_complex:
        return _forgive_parts(value, attribute, tolerances, applied)
    return value


def _forgive_parts(
    value: dict[str, Any], attribute: Attribute, tolerances: tuple[ValueTolerance, ...], applied: set[str]
) -> dict[str, Any]:
    result = {}
    for name, item in value.items():
        sub = attribute.sub(name)
        if sub is not None and item is not None:
            item = forgive_value(item, sub, listed=sub.multi_valued, tolerances=tolerances, applied=applied)
        result[name] = item
    return result
