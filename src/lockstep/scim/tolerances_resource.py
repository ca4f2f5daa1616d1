"""Tolerances for the resource in a create or replace, one function each. Each docstring says what clients send and which clients do
it.

If there is nothing to correct, each function returns the body that it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lockstep.scim.errors import ScimError
from lockstep.scim.names import parse_name
from lockstep.scim.registry import PathTarget, ResourceDefinition

ResourceTolerance = Callable[[Mapping[str, Any], ResourceDefinition], Mapping[str, Any]]


def incomplete_schemas(body: Mapping[str, Any], definition: ResourceDefinition) -> Mapping[str, Any]:
    """The list `schemas` is missing, or lacks the core schema: Google, JumpCloud, and clients of SCIM 1.1 descent."""
    name = next((key for key in body if key.lower() == "schemas"), None)
    given = body[name] if name else None
    wanted = definition.schema.id
    listed = given if isinstance(given, list) else [given]
    texts = [item for item in listed if isinstance(item, str)]
    if isinstance(given, list) and wanted.lower() in (item.lower() for item in texts):
        return body
    rest = {key: value for key, value in body.items() if key != name}
    return {"schemas": [wanted, *texts], **rest}


def qualified_keys(body: Mapping[str, Any], definition: ResourceDefinition) -> Mapping[str, Any]:
    """`"name.familyName"` or `"urn:...:User:department"` as a key at the top: Microsoft Entra, OneLogin's templates."""
    found = {name: target for name in body if (target := _qualified(name, definition)) is not None}
    return _moved(body, found)


def extension_without_urn(body: Mapping[str, Any], definition: ResourceDefinition) -> Mapping[str, Any]:
    """`"department"` or `"manager"` at the top instead of under the extension's URN: OneLogin, Microsoft's early samples."""
    found: dict[str, PathTarget] = {}
    for name in body:
        if definition.attribute(name) is None and ":" not in name:
            targets = [
                PathTarget(s.id, a) for s in definition.extensions.values() if (a := definition.attribute(name, s.id))
            ]
            if len(targets) == 1:
                found[name] = targets[0]
    return _moved(body, found)


def _moved(body: Mapping[str, Any], found: Mapping[str, PathTarget]) -> Mapping[str, Any]:
    """Return *body* with the values of the keys in *found* moved to the places where the schema puts them."""
    if not found:
        return body
    result = {name: value for name, value in body.items() if name not in found}
    for name, target in found.items():
        _put(result, target, body[name])
    return result


RESOURCE_TOLERANCES: Final[tuple[ResourceTolerance, ...]] = (
    incomplete_schemas,
    qualified_keys,
    extension_without_urn,
)


def _qualified(name: str, definition: ResourceDefinition) -> PathTarget | None:
    if ("." not in name and ":" not in name) or definition.extension(name) is not None:
        return None
    try:
        target = definition.find(parse_name(name))
    except ScimError:
        return None
    return target if target is not None and target.attribute is not None else None


def _put(result: dict[str, Any], target: PathTarget, value: Any) -> None:
    """Put *value* in the place of *target*, unless the body already has a value there. Objects on the way to that place are copied, never
    modified.
    """
    holder = result
    steps = [step for step in (target.urn, target.attribute.name if target.sub and target.attribute else "") if step]
    for step in steps:
        inner = holder.get(step)
        if inner is not None and not isinstance(inner, dict):
            return
        holder[step] = dict(inner or {})
        holder = holder[step]
    if target.leaf is not None:
        holder.setdefault(target.leaf.name, value)
