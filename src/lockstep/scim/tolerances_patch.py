"""Tolerances for PATCH operations, one function each. Each docstring says what clients send and which clients do it.

The functions of the first group correct operations that are still JSON. Those of the second group correct operations with parsed paths. If
there is nothing to correct, each function returns the object that it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from lockstep.scim.errors import ScimError, invalid_value
from lockstep.scim.filters import Comparison
from lockstep.scim.names import AttributePath, parse_name
from lockstep.scim.operations import Operation
from lockstep.scim.paths import Path, parse_path
from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.selections import element_described_by
from lockstep.scim.target_values import typed_filter

RawTolerance = Callable[[Mapping[str, Any], ResourceDefinition], Mapping[str, Any]]
OperationTolerance = Callable[[Operation, ResourceDefinition], Operation | list[Operation]]


def capitalised_names(item: Mapping[str, Any], definition: ResourceDefinition) -> Mapping[str, Any]:
    """`"Op"`, `"Path"`, `"Value"` instead of `op`, `path`, `value`: older Entra jobs and .NET clients."""
    if all(name in ("op", "path", "value") for name in item):
        return item
    return {(name.lower() if name.lower() in ("op", "path", "value") else name): value for name, value in item.items()}


def padded_ops(item: Mapping[str, Any], definition: ResourceDefinition) -> Mapping[str, Any]:
    """`"op": "replace "` instead of `replace`, with blanks around it: connectors written in-house, scripts."""
    op = item.get("op")
    if isinstance(op, str) and op != op.strip() and op.strip().lower() in ("add", "remove", "replace"):
        return {**item, "op": op.strip()}
    return item


def capitalised_ops(item: Mapping[str, Any], definition: ResourceDefinition) -> Mapping[str, Any]:
    """`"op": "Replace"` instead of `replace`: Microsoft Entra without aadOptscim062020."""
    op = item.get("op")
    if isinstance(op, str) and op != op.lower() and op.lower() in ("add", "remove", "replace"):
        return {**item, "op": op.lower()}
    return item


def empty_path(item: Mapping[str, Any], definition: ResourceDefinition) -> Mapping[str, Any]:
    """`"path": ""` or null instead of no path: OneLogin, JumpCloud."""
    if "path" in item and item["path"] in ("", None):
        return {name: value for name, value in item.items() if name != "path"}
    return item


def paths_as_pointers(item: Mapping[str, Any], definition: ResourceDefinition) -> Mapping[str, Any]:
    """`"path": "/name/givenName"` instead of `name.givenName`, as in a JSON Patch (RFC 6901, RFC 6902): clients written for JSON Patch.

    Pointers into lists stay as they are, and are refused as paths: SCIM has no positions, and without a filter `/emails/value` would change
    every e-mail address.
    """
    path = item.get("path")
    if not isinstance(path, str) or not path.startswith("/"):
        return item
    first, *rest = (part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    is_schema = definition.extension(first) is not None or first.lower() == definition.schema.id.lower()
    right = f"{first}:{'.'.join(rest)}" if is_schema and rest else ".".join((first, *rest))
    try:
        name = parse_name(right)
    except ScimError:
        return item
    return item if name.sub and _is_list(name, definition) else {**item, "path": right}


def missing_value_clears(item: Mapping[str, Any], definition: ResourceDefinition) -> Mapping[str, Any]:
    """`{"op": "replace", "path": "title"}` without value, to clear it: Microsoft Entra serialisers that drop nulls."""
    if item.get("op") == "replace" and item.get("path") and "value" not in item:
        return {**item, "value": None}
    return item


RAW_TOLERANCES: Final[tuple[RawTolerance, ...]] = (
    capitalised_names,
    padded_ops,
    capitalised_ops,
    empty_path,
    paths_as_pointers,
    missing_value_clears,
)


def keys_as_paths(operation: Operation, definition: ResourceDefinition) -> Operation | list[Operation]:
    """`"value": {"name.familyName": ..., "urn:...:User:department": ...}` without path, also with brackets: Entra, Okta."""
    if operation.path is not None or not isinstance(operation.value, dict):
        return operation
    plain: dict[str, Any] = {}
    split: list[Operation] = []
    for name, value in operation.value.items():
        key = _key_path(name, definition)
        if key is None:
            plain[name] = value
        else:
            split.append(Operation(operation.op, key, value))
    if not split:
        return operation
    return [*([Operation(operation.op, None, plain)] if plain else []), *split]


def read_only_values(operation: Operation, definition: ResourceDefinition) -> Operation | list[Operation]:
    """`"value": {"id": ..., "displayName": ...}` without path, with read-only attributes in it: Okta's group renames."""
    if operation.path is not None or not isinstance(operation.value, dict):
        return operation
    kept = {name: value for name, value in operation.value.items() if not _is_read_only(name, definition)}
    if len(kept) == len(operation.value):
        return operation
    return Operation(operation.op, None, kept) if kept else []


def extension_without_urn(operation: Operation, definition: ResourceDefinition) -> Operation | list[Operation]:
    """`"path": "manager"` instead of `urn:...:enterprise:2.0:User:manager`: Microsoft Entra's documentation, OneLogin."""
    path = operation.path
    if path is None or path.schema or not path.attribute or definition.attribute(path.attribute) is not None:
        return operation
    urns = [s.id for s in definition.extensions.values() if definition.attribute(path.attribute, s.id) is not None]
    if len(urns) != 1:
        return operation
    return replace(operation, path=replace(path, schema=urns[0]))


def remove_lists_values(operation: Operation, definition: ResourceDefinition) -> Operation | list[Operation]:
    """`{"op": "Remove", "path": "members", "value": [{"value": id}]}` instead of filtered paths: Microsoft Entra.

    Only those listed are removed, and an empty list removes nothing.
    """
    path = operation.path
    if operation.op != "remove" or path is None or operation.value is None:
        return operation
    target = definition.find(path.name)
    attribute = target.attribute if target else None
    if attribute is None or not attribute.multi_valued or path.filter is not None or path.sub:
        # The path alone selects what to remove; the value cannot narrow it down, so drop it.
        return replace(operation, value=None)
    items = operation.value if isinstance(operation.value, list) else [operation.value]
    removals = []
    for item in items:
        folded = {str(name).lower(): part for name, part in item.items()} if isinstance(item, dict) else {"value": item}
        wanted = folded.get("value")
        if not isinstance(wanted, (str, int, float)):
            raise invalid_value(
                f'Each item to remove from {attribute.name} needs a "value" that is a text or a number.', attribute.name
            )
        selection = Comparison(AttributePath("value"), "eq", wanted)
        removals.append(Operation("remove", replace(path, filter=selection)))
    return removals


def filtered_path_creates(operation: Operation, definition: ResourceDefinition) -> Operation | list[Operation]:
    """`replace emails[type eq "work"].value` on a person who has no such address: Microsoft Entra expects the address to be created."""
    path = operation.path
    if operation.op == "remove" or operation.creates or path is None or path.filter is None:
        return operation
    target = definition.find(path.name)
    if target is None or target.attribute is None or element_described_by(path.filter, target.attribute) is None:
        return operation
    return replace(operation, creates=True)


def texts_in_path_filters(operation: Operation, definition: ResourceDefinition) -> Operation | list[Operation]:
    """`roles[primary eq "True"].value` for a boolean, `members[value eq 5]` for a string: Microsoft Entra, scripts."""
    path = operation.path
    if path is None or path.filter is None:
        return operation
    target = definition.find(path.name)
    if target is None or target.attribute is None:
        return operation
    typed = typed_filter(path.filter, target.attribute)
    return operation if typed == path.filter else replace(operation, path=replace(path, filter=typed))


OPERATION_TOLERANCES: Final[tuple[OperationTolerance, ...]] = (
    read_only_values,
    keys_as_paths,
    extension_without_urn,
    remove_lists_values,
    texts_in_path_filters,
    filtered_path_creates,
)


def _key_path(name: str, definition: ResourceDefinition) -> Path | None:
    """Return the path that *name*, a key in the value of an operation, stands for. Returns None if *name* is a plain attribute, a whole
    extension, or not the path of a known attribute.

    Raises ScimError("invalidPath") for a malformed key with a bracket, because such a key cannot be the name of an unknown
    attribute.
    """
    if "[" in name:
        path = parse_path(name, lenient=True)
        return path if definition.find(path.name) is not None else None
    if "." not in name and ":" not in name:
        return None
    if definition.extension(name) is not None or name.lower() == definition.schema.id.lower():
        return None
    try:
        plain = parse_name(name)
    except ScimError:
        return None
    return Path(plain.name, plain.sub, plain.schema) if definition.find(plain) is not None else None


def _is_list(name: AttributePath, definition: ResourceDefinition) -> bool:
    """Whether *name* refers to a multi-valued attribute or to a part of one. Without a URN, *name* may refer to any schema's attribute."""
    urns = [name.schema] if name.schema else ["", *definition.extensions]
    found = [definition.attribute(name.name, urn) for urn in urns]
    return any(attribute is not None and attribute.multi_valued for attribute in found)


def _is_read_only(name: str, definition: ResourceDefinition) -> bool:
    attribute = definition.attribute(name)
    return attribute is not None and attribute.read_only
