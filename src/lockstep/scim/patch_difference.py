"""Find the operations that turn one state of a resource into another. Read-only attributes and `schemas` are ignored.

For a multi-valued attribute, operations that add and remove single values are tried first. If they do not turn *before* into *after*, the
whole list is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.scim.errors import ScimError
from lockstep.scim.filters import Comparison
from lockstep.scim.names import AttributePath
from lockstep.scim.operations import read_operation
from lockstep.scim.patch import apply_patch
from lockstep.scim.paths import Path
from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.schema import Attribute


def build_patch(
    before: Mapping[str, Any], after: Mapping[str, Any], definition: ResourceDefinition
) -> list[dict[str, Any]]:
    """Return operations that turn *before* into *after*. Both must be validated resources of the same type."""
    operations: list[dict[str, Any]] = []
    for attribute in definition.attributes:
        if attribute.name != "schemas":
            operations += _attribute_operations(before, after, "", attribute, definition)
    for schema in definition.extensions.values():
        for attribute in schema.attributes:
            operations += _attribute_operations(before, after, schema.id, attribute, definition)
    return operations


def same_content(one: Any, other: Any) -> bool:
    """Whether two values are equal, ignoring the order of multi-valued attributes (RFC 7643, section 2.4)."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(any(same_content(a, b) for b in other) for a in one)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_content(one[name], other[name]) for name in one)
    return bool(one == other)


def _attribute_operations(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    urn: str,
    attribute: Attribute,
    definition: ResourceDefinition,
) -> list[dict[str, Any]]:
    old, new = _value(before, urn, attribute.name), _value(after, urn, attribute.name)
    if attribute.read_only or same_content(old, new):
        return []
    path = Path(attribute.name, schema=urn)
    if new is None:
        return [{"op": "remove", "path": str(path)}]
    if attribute.multi_valued:
        operations = _element_operations(old or [], new, path)
        if operations and _gives(before, new, operations, path, definition):
            return operations
        return [{"op": "replace" if old else "add", "path": str(path), "value": new}]
    if attribute.is_complex and isinstance(old, dict):
        return _sub_operations(old, new, path, attribute)
    return [{"op": "replace" if old is not None else "add", "path": str(path), "value": new}]


def _sub_operations(
    old: Mapping[str, Any], new: Mapping[str, Any], path: Path, attribute: Attribute
) -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = []
    for sub in attribute.sub_attributes:
        if sub.read_only or old.get(sub.name) == new.get(sub.name):
            continue
        place = str(Path(path.attribute, sub.name, path.schema))
        if sub.name in new:
            # Set values before removing others, so that the attribute is never empty in between.
            operations.insert(0, {"op": "replace", "path": place, "value": new[sub.name]})
        else:
            operations.append({"op": "remove", "path": place})
    return operations


def _element_operations(old: list[Any], new: list[Any], path: Path) -> list[dict[str, Any]]:
    gone = [element for element in old if element not in new]
    added = [element for element in new if element not in old]
    if len(gone) + len(added) >= len(old) + len(new):
        return []
    operations: list[dict[str, Any]] = []
    for element in gone:
        value = element.get("value") if isinstance(element, dict) else element
        if not isinstance(value, str):
            return []
        selection = Comparison(AttributePath("value"), "eq", value)
        operations.append({"op": "remove", "path": str(Path(path.attribute, schema=path.schema, filter=selection))})
    if added:
        operations.append({"op": "add", "path": str(path), "value": added})
    return operations


def _gives(
    before: Mapping[str, Any],
    wanted: list[Any],
    operations: list[dict[str, Any]],
    path: Path,
    definition: ResourceDefinition,
) -> bool:
    try:
        result = apply_patch(before, [read_operation(item) for item in operations], definition).resource
    except ScimError:
        return False
    return same_content(_value(result, path.schema, path.attribute) or [], wanted)


def _value(resource: Mapping[str, Any], urn: str, name: str) -> Any:
    return (resource.get(urn) or {}).get(name) if urn else resource.get(name)
