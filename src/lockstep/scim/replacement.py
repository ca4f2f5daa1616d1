"""Build the complete resource for a PUT from the changes and the resource that the application returned (RFC 7644, section 3.5.1).

All other attributes are sent back unchanged, even those that no schema declares. Names match in any letter case, and nothing is validated.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lockstep.scim.patch_build import CLEAR, AddedValues
from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.target_values import ResolvedPath, loosely_matches, put_value, resolve_path, typed_value

SET_BY_SERVER = frozenset({"meta", "groups"})
LABELS = frozenset({"primary", "type", "display"})


def replaced(resource: Mapping[str, Any], changes: Mapping[str, Any], definition: ResourceDefinition) -> dict[str, Any]:
    """Return a copy of *resource* with *changes* applied.

    *changes* maps each target path to a new value, to values to add (AddedValues), or to CLEAR.
    """
    result = _copied(resource)
    for text, value in changes.items():
        resolved = resolve_path(text, definition)
        holder = _holder(result, resolved.path.schema, definition)
        name = _spelled(holder, resolved.path.attribute)
        if value is CLEAR:
            _clear(holder, name, resolved)
        elif isinstance(value, AddedValues):
            held = holder.get(name)
            holder[name] = [*(held if isinstance(held, list) else ()), *typed_value(value.values, resolved.leaf)]
        else:
            if resolved.path.filter is not None and not isinstance(holder.get(name), list):
                holder.pop(name, None)
            put_value(holder, resolved._replace(path=replace(resolved.path, attribute=name)), value)
    return result


def with_members(resource: Mapping[str, Any], *, add: Sequence[str], remove: Sequence[str]) -> dict[str, Any]:
    """Return a copy of the group *resource* with members added and removed. The copy always has a list of members, which may be
    empty.
    """
    result = _copied(resource)
    name = _spelled(result, "members")
    held = result.get(name)
    changed = {*add, *remove}
    kept = [one for one in held if _id(one) not in changed] if isinstance(held, list) else []
    result[name] = [*kept, *({"value": one} for one in add)]
    return result


def _copied(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in resource.items() if name.lower() not in SET_BY_SERVER}


def _holder(result: dict[str, Any], urn: str, definition: ResourceDefinition) -> dict[str, Any]:
    """Return the object that contains the attributes of the schema *urn*. For the core schema, this is the resource itself.

    For an extension, it is the object under the extension's URN. If *result* has none, the object is created and the URN is added to
    `schemas`.
    """
    if not urn or urn.lower() == definition.schema.id.lower():
        return result
    name = _spelled(result, urn)
    if not isinstance(result.get(name), dict):
        result[name] = {}
    schemas = result.setdefault(_spelled(result, "schemas"), [])
    if isinstance(schemas, list) and all(str(one).lower() != urn.lower() for one in schemas):
        schemas.append(urn)
    holder: dict[str, Any] = result[name]
    return holder


def _clear(holder: dict[str, Any], name: str, resolved: ResolvedPath) -> None:
    path, value = resolved.path, holder.get(name)
    if path.filter is not None and isinstance(value, list):
        labels = LABELS | {label.lower() for label in resolved.described or ()}
        for element in [one for one in value if isinstance(one, dict) and loosely_matches(path.filter, one)]:
            if path.sub:
                element.pop(_spelled(element, path.sub), None)
            # An element that has only a type or other labels has no meaning.
            if not path.sub or all(one.lower() in labels for one in element):
                value.remove(element)
    elif path.sub and isinstance(value, dict):
        value.pop(_spelled(value, path.sub), None)
    else:
        holder.pop(name, None)


def _spelled(holder: Mapping[str, Any], name: str) -> str:
    """Return the spelling in which *holder* contains the key *name*."""
    return next((key for key in holder if key.lower() == name.lower()), name)


def _id(member: Any) -> str:
    return str(member.get("value")) if isinstance(member, Mapping) else str(member)
