"""Determine for each sent value whether the application kept it, changed it or left it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lockstep.engine.decisions.diff import same_value
from lockstep.engine.decisions.essential import is_role, is_switch
from lockstep.engine.plans import Step, StepStatus, StepType
from lockstep.engine.records import Change, Value, Values
from lockstep.engine.rules.mappings import AttributeMapping, ObjectMapping
from lockstep.engine.rules.operators import is_empty, text_of
from lockstep.scim.paths import parse_path

NOT_KEPT = "ValueNotKept"
REWRITTEN = "ValueRewritten"
_SAYS_NOTHING = frozenset({"id", "schemas", "meta", "externalid"})


class Fate(StrEnum):
    """The ways in which an application can treat a value that was sent."""

    KEPT = "kept"
    CHANGED = "changed"  # the application has a different value
    MISSING = "missing"  # the application has no value
    REFUSED = "refused"  # an essential attribute was not accepted


@dataclass(frozen=True, slots=True)
class JudgedValue:
    """The way in which the application treated one value. *answered* is the value in its response, or None if the response has none."""

    path: str
    fate: Fate
    sent: Value
    answered: Value
    is_redacted: bool = False


def judge(
    changes: Iterable[Change], held: Values, resource: Mapping[str, Any], mapping: ObjectMapping
) -> tuple[JudgedValue, ...]:
    """Return what happened to each of *changes* according to the application's response.

    *resource* is the resource in the response, and *held* contains the mapped values of that resource. The result leaves out secret values.
    It also leaves out attributes about which *resource* shows nothing.
    """
    found = []
    for change in changes:
        attribute = mapping.by_target.get(change.path)
        if attribute is None or attribute.is_secret:
            continue
        fate = _fate(change, held.get(change.path), resource, attribute)
        if fate is not None:
            found.append(JudgedValue(change.path, fate, change.new, held.get(change.path), change.redacted))
    return tuple(found)


def steps_of(judged: Iterable[JudgedValue]) -> tuple[Step, ...]:
    """Return log lines for the values that the application did not keep as sent."""
    return tuple(_step(one) for one in judged if one.fate is not Fate.KEPT)


def _step(one: JudgedValue) -> Step:
    code = NOT_KEPT if one.fate is not Fate.CHANGED else REWRITTEN
    if one.is_redacted:
        text = f"{one.path} was sent, but the application returned a different value or none."
    elif one.fate is Fate.MISSING:
        text = f"{one.path} was sent, but the application did not return it."
    else:
        text = f'{one.path} was sent as "{text_of(one.sent)}", but the application returned "{text_of(one.answered)}".'
    status = StepStatus.FAILURE if one.fate is Fate.REFUSED else StepStatus.WARNING
    return Step("EntryExportReadBack", StepType.EXPORT, status, text, {"reason": code, "attribute": one.path})


def _fate(change: Change, answered: Value, resource: Mapping[str, Any], mapping: AttributeMapping) -> Fate | None:
    if is_empty(answered):
        return _fate_of_absent(change, resource, mapping)
    is_same = same_value(change.new, answered, mapping)
    if is_switch(mapping):
        # Some applications keep a new account inactive until its owner accepts an invitation.
        is_invited = is_empty(change.old) and change.new is True
        return Fate.KEPT if is_same else None if is_invited else Fate.REFUSED
    if is_role(mapping):
        wanted, there = _texts(change.added or change.new), _texts(answered)
        if not wanted <= there or (not change.added and not there <= wanted):
            return Fate.REFUSED
        return Fate.KEPT if is_same else Fate.CHANGED
    if is_same or (change.added and _texts(change.added) <= _texts(answered)):
        return Fate.KEPT
    if mapping.match and not is_empty(change.old) and same_value(change.old, answered, mapping):
        return Fate.REFUSED
    return Fate.CHANGED


def _fate_of_absent(change: Change, resource: Mapping[str, Any], mapping: AttributeMapping) -> Fate | None:
    if is_empty(change.new):
        return Fate.KEPT
    if is_switch(mapping) or not _shows_level(resource, change.path):
        return None
    return Fate.MISSING


def _shows_level(resource: Mapping[str, Any], path: str) -> bool:
    """Whether *resource* shows other attributes at the level of *path*. Only then does the absence of an attribute mean that the attribute
    has no value.
    """
    parsed = parse_path(path, lenient=True)
    holder, name = resource, parsed.attribute
    if parsed.schema and isinstance(extension := _named(resource, parsed.schema), Mapping):
        holder = extension
    if parsed.sub and isinstance(complex_value := _named(holder, name), Mapping):
        holder, name = complex_value, parsed.sub
    return any(
        key.lower() not in _SAYS_NOTHING and key.lower() != name.lower() and not is_empty(value)
        for key, value in holder.items()
    )


def _named(holder: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in holder.items() if key.lower() == name.lower()), None)


def _texts(value: Value) -> set[str]:
    """Return the strings that identify the elements of *value*. Display names, types and references, which servers add, are left out."""
    if is_empty(value):
        return set()
    if isinstance(value, Mapping):
        return _texts(value.get("value", value.get("display")))
    if isinstance(value, tuple | list):
        return {text for item in value for text in _texts(item)}
    return {text_of(value).casefold()}
