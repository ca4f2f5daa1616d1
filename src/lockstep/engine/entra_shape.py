"""The outer shape of a synchronization schema, checked before anything of it is read.

Only what is read has a shape; everything else may be anything, because it is only kept. An absent part may be null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.engine.strict_json import ConfigurationError

DEEPEST = 100
# A mapping is an object with these parts, a list of one a list of such; a type is a plain value.
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


def check_shape(schema: Any) -> None:
    """Raise ConfigurationError with the place of the first part that is something else than it has to be."""
    _check(schema, _SCHEMA, "", 0)


def _check(value: Any, shape: Any, place: str, depth: int) -> None:
    if depth > DEEPEST:
        raise ConfigurationError(place[:200], f"nested more than {DEEPEST} levels deep")
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigurationError(place, "an object is needed")
        for key, inner in shape.items():
            if value.get(key) is not None:
                _check(value[key], inner, f"{place}.{key}".lstrip("."), depth + 1)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise ConfigurationError(place, "a list is needed")
        for index, one in enumerate(value):
            _check(one, shape[0], f"{place}[{index}]", depth + 1)
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        raise ConfigurationError(place, f"{'a plain value' if shape is _PLAIN else _WORDS[shape]} is needed")


_WORDS = {str: "a text", int: "a whole number", bool: "true or false"}
