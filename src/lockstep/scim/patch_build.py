"""Build the smallest PATCH for a change, from one of two inputs: new values by target path, or the states of a resource before and after.

From new values, the PATCH is built in the dialect of the server. Applying `build_patch(before, after)` to *before* always gives *after*.
A remove operation never removes more values than intended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from lockstep.scim.operations import patch_body
from lockstep.scim.patch_difference import build_patch
from lockstep.scim.paths import Path
from lockstep.scim.registry import ResourceDefinition, default_registry
from lockstep.scim.target_values import (
    CLEAR,
    MISSING,
    Clear,
    Missing,
    ResolvedPath,
    find_element,
    read_path,
    resolve_path,
    to_resource,
    typed_value,
)
from lockstep.scim.tokens import quote

__all__ = [
    "CLEAR",
    "MISSING",
    "AddedValues",
    "Clear",
    "Missing",
    "Mode",
    "build_patch",
    "member_operations",
    "patch_operations",
    "read_path",
    "to_resource",
]

Mode = Literal["rfc", "entra", "entra-flag"]


class AddedValues(NamedTuple):
    """Values to add to a multi-valued attribute. The attribute also keeps the values that it has."""

    values: list[Any]


def patch_operations(
    changes: Mapping[str, Any],
    current: Mapping[str, Any] | None,
    mode: Mode = "rfc",
    *,
    definition: ResourceDefinition | None = None,
) -> list[dict[str, Any]]:
    """Build the operations for *changes*, which maps each target path to its new value, to values to add (AddedValues), or to CLEAR.

    *current* is the resource as the server last returned it. Without *current*, the `rfc` dialect sets every value with a replace
    operation; a strict server refuses such an operation with noTarget if the filter of its path selects no value. *definition* defaults to
    the definition of a User.
    """
    known = definition or default_registry().resource("User")
    set_to = {text: value for text, value in changes.items() if not isinstance(value, AddedValues)}
    added = [_addition(text, value, mode, known) for text, value in changes.items() if isinstance(value, AddedValues)]
    if mode == "entra":
        return [*(_entra_operation(text, value, current) for text, value in set_to.items()), *added]
    if mode == "entra-flag":
        return _entra_flag_operations(set_to, current, known) + added
    return _rfc_operations(set_to, current, known) + added


def member_operations(
    add: Sequence[str], remove: Sequence[str], mode: Mode = "rfc", *, chunk: int = 100
) -> list[dict[str, Any]]:
    """Build the PatchOp bodies that add and remove members of a group. Each body has at most *chunk* members.

    All additions of a body are one operation with an array. Each removal is a separate operation with a filter. Entra's default dialect
    lists the removed members in the value instead.
    """
    bodies = []
    for ids in _chunks(add, chunk):
        members = [{"value": member} if mode == "rfc" else {"$ref": None, "value": member} for member in ids]
        bodies.append(patch_body([{"op": "Add" if mode == "entra" else "add", "path": "members", "value": members}]))
    for ids in _chunks(remove, chunk):
        if mode == "entra":
            value = [{"$ref": None, "value": member} for member in ids]
            bodies.append(patch_body([{"op": "Remove", "path": "members", "value": value}]))
        else:
            bodies.append(
                patch_body([{"op": "remove", "path": f"members[value eq {quote(member)}]"} for member in ids])
            )
    return bodies


def _addition(text: str, added: AddedValues, mode: Mode, definition: ResourceDefinition) -> dict[str, Any]:
    resolved = resolve_path(text, definition)
    values = typed_value(added.values, resolved.leaf)
    return {
        "op": "Add" if mode == "entra" else "add",
        "path": text if mode == "entra" else str(resolved.path),
        "value": values,
    }


def _rfc_operations(
    changes: Mapping[str, Any], current: Mapping[str, Any] | None, definition: ResourceDefinition
) -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = []
    additions: dict[str, dict[str, Any]] = {}
    elements = _by_element(changes, definition)
    for text, value in changes.items():
        resolved = resolve_path(text, definition)
        path = str(resolved.path)
        if value is CLEAR:
            removal = _removal(resolved, elements.get(_element_key(resolved.path), {}), current)
            if removal is not None and removal not in operations:
                operations.append(removal)
            continue
        typed = typed_value(value, resolved.leaf)
        described = resolved.described
        if described is None or current is None or find_element(current, resolved.path) is not None:
            operations.append({"op": "replace", "path": path, "value": typed})
            continue
        key = _element_key(resolved.path)
        if key not in additions:
            additions[key] = dict(described)
            attribute = str(Path(resolved.path.attribute, schema=resolved.path.schema))
            operations.append({"op": "add", "path": attribute, "value": [additions[key]]})
        if resolved.path.sub:
            additions[key][resolved.path.sub] = typed
        elif isinstance(typed, list) and typed and isinstance(typed[0], dict):
            additions[key].update(typed[0])
    return operations


def _removal(
    resolved: ResolvedPath, element_changes: Mapping[str, Any], current: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    path = resolved.path
    if current is None:
        return {"op": "remove", "path": str(path)}
    if read_path(current, str(path)) is MISSING:
        return None
    if path.filter is not None and path.sub:
        element = find_element(current, path) or {}
        cleared = {name.lower() for name, value in element_changes.items() if value is CLEAR}
        labels = {"primary", "type", "display", *(name.lower() for name in resolved.described or ())}
        kept = {name.lower() for name, value in element.items() if value is not None} - cleared - labels
        is_set = any(value is not CLEAR for value in element_changes.values())
        # A type without a value is not an e-mail address, so remove the whole element.
        if not kept and not is_set:
            return {"op": "remove", "path": str(Path(path.attribute, schema=path.schema, filter=path.filter))}
    return {"op": "remove", "path": str(path)}


def _by_element(changes: Mapping[str, Any], definition: ResourceDefinition) -> dict[str, dict[str, Any]]:
    elements: dict[str, dict[str, Any]] = {}
    for text, value in changes.items():
        path = resolve_path(text, definition).path
        if path.filter is not None:
            elements.setdefault(_element_key(path), {})[path.sub] = value
    return elements


def _element_key(path: Path) -> str:
    return str(Path(path.attribute, schema=path.schema, filter=path.filter))


def _entra_operation(text: str, value: Any, current: Mapping[str, Any] | None) -> dict[str, Any]:
    if value is CLEAR:
        return {"op": "Remove", "path": text}
    op = "Add" if current is not None and read_path(current, text) is MISSING else "Replace"
    return {"op": op, "path": text, "value": str(value) if isinstance(value, (bool, int, float)) else value}


def _entra_flag_operations(
    changes: Mapping[str, Any], current: Mapping[str, Any] | None, definition: ResourceDefinition
) -> list[dict[str, Any]]:
    filtered: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    merged: dict[str, Any] = {}
    for text, value in changes.items():
        resolved = resolve_path(text, definition)
        if value is CLEAR:
            others.append({"op": "remove", "path": text})
            continue
        typed = _unwrapped(typed_value(value, resolved.leaf))
        missing = current is not None and read_path(current, text) is MISSING
        if resolved.path.filter is not None or missing:
            target = filtered if resolved.path.filter is not None else others
            target.append({"op": "add" if missing else "replace", "path": text, "value": typed})
        else:
            merged[text] = typed
    if len(merged) == 1:
        others += [{"op": "replace", "path": text, "value": value} for text, value in merged.items()]
    elif merged:
        others.append({"op": "replace", "value": merged})
    return filtered + others


def _unwrapped(value: Any) -> Any:
    # Entra sends a manager as a bare id in both dialects.
    return value["value"] if isinstance(value, dict) and set(value) == {"value"} else value


def _chunks(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), max(1, size)):
        yield ids[start : start + max(1, size)]
