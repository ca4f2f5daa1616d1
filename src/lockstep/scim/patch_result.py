"""What came out of a PATCH: the new resource, and which attributes differ from the old one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.scim.registry import ResourceDefinition


@dataclass(frozen=True, slots=True)
class PatchResult:
    """The patched copy, whether it differs from the original, and the attributes (`name`, `urn:..:department`) that do."""

    resource: dict[str, Any]
    changed: bool
    touched: tuple[str, ...]


def touched_attributes(
    before: Mapping[str, Any], after: Mapping[str, Any], definition: ResourceDefinition
) -> tuple[str, ...]:
    """The attributes whose values differ, extension attributes with their URN; `schemas` follows from them."""
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
