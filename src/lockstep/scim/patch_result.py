"""The result of a PATCH: the new resource, and the names of the attributes whose values have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.scim.errors import invalid_value
from lockstep.scim.registry import ResourceDefinition


@dataclass(frozen=True, slots=True)
class PatchResult:
    """The result of a PATCH.

    *resource* is the changed copy and *changed* says whether it differs from the original. *touched* has the names of the attributes that
    differ; the names of extension attributes include the URN.
    """

    resource: dict[str, Any]
    changed: bool
    touched: tuple[str, ...]


def touched_attributes(
    before: Mapping[str, Any], after: Mapping[str, Any], definition: ResourceDefinition
) -> tuple[str, ...]:
    """Return the names of the attributes whose values differ; the names of extension attributes include the URN. `schemas` is left out
    because it is derived.
    """
    touched: list[str] = []
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old == new or name == "schemas":
            continue
        if definition.extension(name) is None:
            touched.append(name)
            continue
        old, new = old or {}, new or {}
        touched += [f"{name}:{key}" for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
    return tuple(touched)


def check_parts(resource: Mapping[str, Any], touched: tuple[str, ...], definition: ResourceDefinition) -> None:
    """Raise ScimError if a changed complex value lacks a required sub-attribute. A create or replace raises the same error."""
    for name in touched:
        urn, _, own = name.rpartition(":") if name not in resource else ("", "", name)
        attribute = definition.attribute(own, urn)
        if attribute is None or not attribute.is_complex:
            continue
        value = (resource.get(urn) or {}).get(own) if urn else resource.get(own)
        needed = [sub.name for sub in attribute.sub_attributes if sub.required and not sub.read_only]
        for element in value if isinstance(value, list) else [value]:
            missing = next(
                (sub for sub in needed if isinstance(element, dict) and element.get(sub) in (None, "")), None
            )
            if missing is not None:
                place = f"{name}.{missing}"
                raise invalid_value(f"{place} is required: send a value.", place)
