"""Convert results of actions to JSON and back without loss, so that a command prints the same output for a remote result as for a local
one.

Records, enumerations, tuples and times are marked with `$`. Only records and enumerations of Lockstep are rebuilt. A secret is never
transferred.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.single_sign_on import SignOnSettings, sign_on_from_json, sign_on_to_json
from lockstep.errors import Kind, LockstepError

MARK, CONTENT = "$", "v"
_PLAIN = (type(None), bool, int, float, str)
_OURS = "lockstep."


def to_json(value: Any) -> Any:
    """Convert *value* to JSON types. Raises LockstepError if the value cannot be transferred."""
    if type(value) in _PLAIN:
        return value
    if type(value) is list:
        return [to_json(one) for one in value]
    if isinstance(value, Mapping):
        if MARK not in value and all(type(key) is str for key in value):
            return {key: to_json(one) for key, one in value.items()}
        return _marked("mapping", [[to_json(key), to_json(one)] for key, one in value.items()])
    if type(value) in _FORMS:
        name, written, _ = _FORMS[type(value)]
        return _marked(name, written(value))
    if is_dataclass(value) and not isinstance(value, type):
        told = {one.name: to_json(getattr(value, one.name)) for one in fields(value) if one.init}
        return _marked(_name_of(type(value)), told)
    if isinstance(value, Enum):
        return _marked(_name_of(type(value)), value.value)
    raise LockstepError(Kind.INTERNAL, f"A result of the type {type(value).__name__} cannot be transferred")


def from_json(told: Any) -> Any:
    """Convert *told*, which `to_json` made, back to the original value. Raises LockstepError if this version of Lockstep does not know the
    type of the value.
    """
    if isinstance(told, list):
        return [from_json(one) for one in told]
    if not isinstance(told, dict):
        return told
    if MARK not in told:
        return {key: from_json(one) for key, one in told.items()}
    name, content = told[MARK], told[CONTENT]
    if name == "mapping":
        return {from_json(key): from_json(one) for key, one in content}
    read = _READ.get(name)
    if read is not None:
        return read(content)
    kind = _class_named(name)
    return kind(content) if issubclass(kind, Enum) else kind(**{key: from_json(one) for key, one in content.items()})


def _marked(name: str, content: Any) -> dict[str, Any]:
    return {MARK: name, CONTENT: content}


def _many(values: Any) -> list[Any]:
    return [to_json(one) for one in values]


_FORMS: Mapping[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    tuple: ("tuple", _many, lambda told: tuple(map(from_json, told))),
    frozenset: ("set", _many, lambda told: frozenset(map(from_json, told))),
    datetime: ("time", datetime.isoformat, datetime.fromisoformat),
    date: ("date", date.isoformat, date.fromisoformat),
    bytes: ("bytes", bytes.hex, bytes.fromhex),
    # Expressions are compiled code, so only their text is transferred.
    SignOnSettings: ("signOn", sign_on_to_json, lambda told: sign_on_from_json(Part(told, "singleSignOn"))),
    timedelta: ("length", timedelta.total_seconds, lambda told: timedelta(seconds=told)),
}
_READ = {name: read for name, _, read in _FORMS.values()}


def _name_of(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


@cache
def _class_named(name: str) -> type[Any]:
    """Return the record class or enumeration called *name*. Only modules of Lockstep are searched."""
    module, _, qualified = name.partition(":")
    found: Any = None
    if module.startswith(_OURS) and qualified.isidentifier():
        try:
            found = getattr(importlib.import_module(module), qualified, None)
        except ImportError:
            found = None
    is_ours = isinstance(found, type) and _name_of(found) == name
    if not is_ours or not (is_dataclass(found) or issubclass(found, Enum)):
        raise LockstepError(
            Kind.CONFLICT,
            f"The server's response contains a type that this version does not know: {name}",
            next_step="Install the server's version on this machine",
        )
    kind: type[Any] = found
    return kind
