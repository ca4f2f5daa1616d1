"""Check the outer structure of a synchronization schema before reading it.

Only the parts that Lockstep reads are checked. All others are kept as they are. Null is accepted in place of any part that may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.configuration.document.strict_json import ConfigurationError

DEEPEST = 100
_PASCAL_CASE = frozenset({"SynchronizationRules", "Schema", "Value"})
# PowerShell's ConvertTo-Json replaces objects below its -Depth with strings that start like this.
_CUT_OFF = ("System.", "Microsoft.Graph.", "@{")
# A dict stands for an object with these parts, a list with one item for a list of such items, and a type for a plain value.
_SOURCE: dict[str, Any] = {}
_SOURCE["parameters"] = [{"value": _SOURCE}]
_PLAIN = (str, int, float, bool)
_CLAUSE = {"operatorName": str, "sourceOperandName": str, "targetOperand": {"values": [_PLAIN]}}
_ATTRIBUTE_MAPPING = {
    "source": _SOURCE,
    "targetAttributeName": str,
    "defaultValue": _PLAIN,
    "matchingPriority": int,
    "flowType": str,
    "flowBehavior": str,
}
_OBJECT_MAPPING = {
    "name": str,
    "sourceObjectName": str,
    "targetObjectName": str,
    "enabled": bool,
    "attributeMappings": [_ATTRIBUTE_MAPPING],
    "scope": {"groups": [{"name": str, "clauses": [_CLAUSE]}]},
}
_SCHEMA = {
    "synchronizationRules": [{"objectMappings": [_OBJECT_MAPPING]}],
    "directories": [{"objects": [{"attributes": [{"name": str, "type": str}]}]}],
}


def unwrapped(document: Any) -> Mapping[str, Any]:
    """Find the schema in *document*, with or without the wrapping of Graph and PowerShell. Raises ConfigurationError if there is none.

    In Graph's list of templates or jobs, the schema is `value[].schema`. PowerShell's ConvertTo-Json writes property names in PascalCase.
    """
    found = _as_graph_writes_it(document)
    if isinstance(found.get("value"), list):
        holders = [one for one in map(_as_graph_writes_it, found["value"]) if isinstance(one.get("schema"), Mapping)]
        if len(holders) > 1:
            raise ConfigurationError("value", f"{len(holders)} schemas are in this file; keep only the one to import")
        found = holders[0] if holders else found
    if isinstance(found.get("schema"), Mapping):
        found = _as_graph_writes_it(found["schema"])
    if not isinstance(found.get("synchronizationRules"), list):
        raise ConfigurationError(
            "synchronizationRules", "this is not a synchronization schema: it has no synchronizationRules list"
        )
    return found


def _as_graph_writes_it(value: Any) -> Mapping[str, Any]:
    """Return *value* with keys in camelCase, or an empty object if *value* is not an object."""
    if not isinstance(value, Mapping):
        return {}
    return _camel_case(value, 0) if _PASCAL_CASE.intersection(value) else value


def _camel_case(value: Any, depth: int) -> Any:
    """Convert every key of *value* to camelCase, as in Graph's own JSON."""
    if depth > DEEPEST:
        raise ConfigurationError("", f"nested more than {DEEPEST} levels deep")
    if isinstance(value, Mapping):
        return {key[:1].lower() + key[1:]: _camel_case(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_camel_case(inner, depth + 1) for inner in value]
    return value


def check_shape(schema: Any) -> None:
    """Raise ConfigurationError with the place of the first part that has the wrong type."""
    _check(schema, _SCHEMA, "", 0)


def _check(value: Any, shape: Any, place: str, depth: int) -> None:
    if depth > DEEPEST:
        raise ConfigurationError(place[:200], f"nested more than {DEEPEST} levels deep")
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(place, "must be an object", value)
        for key, inner in shape.items():
            if value.get(key) is not None:
                _check(value[key], inner, f"{place}.{key}".lstrip("."), depth + 1)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise _wrong(place, "must be a list", value)
        for index, one in enumerate(value):
            if one is not None or shape[0] is not _PLAIN:
                _check(one, shape[0], f"{place}[{index}]", depth + 1)
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        raise ConfigurationError(place, f"must be {'a plain value' if shape is _PLAIN else _WORDS[shape]}")


def _wrong(place: str, message: str, value: Any) -> ConfigurationError:
    if isinstance(value, str) and value.startswith(_CUT_OFF):
        return ConfigurationError(
            place, f"{message}; PowerShell cut this part off", next_step="Write it with: ConvertTo-Json -Depth 20"
        )
    return ConfigurationError(place, message)


_WORDS = {str: "text", int: "a whole number", bool: "true or false"}
