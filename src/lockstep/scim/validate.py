"""Validate a resource that a client sent, and return it with the spelling of the schema.

Values for read-only attributes are ignored. They are never an error (RFC 7644, sections 3.3 and 3.5.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from lockstep.scim.errors import invalid_syntax, invalid_value, mutability_error
from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.schema import Attribute
from lockstep.scim.values import Checker, checker_of, copy_json, single_checker_of, unknown_attribute

Unknown = Literal["ignore", "refuse"]


class Checkers:
    """The compiled checks of a resource type.

    A check has a key of two strings: the URN of the extension ("" for the core schema), and the attribute's name in the schema. The key of
    a sub-attribute has its name as a third string.
    """

    def __init__(self, definition: ResourceDefinition, *, drop_unknown: bool) -> None:
        self.whole: dict[tuple[str, str], Checker] = {}
        self.single: dict[tuple[str, str], Checker] = {}
        self.subs: dict[tuple[str, str, str], Checker] = {}
        for urn, attribute in _declared_attributes(definition):
            place = f"{urn}:{attribute.name}" if urn else attribute.name
            key = (urn, attribute.name)
            self.whole[key] = checker_of(attribute, place, drop_unknown=drop_unknown)
            self.single[key] = single_checker_of(attribute, place, drop_unknown=drop_unknown)
            for sub in attribute.sub_attributes:
                self.subs[(*key, sub.name)] = checker_of(sub, f"{place}.{sub.name}", drop_unknown=drop_unknown)


@lru_cache(maxsize=512)
def checkers_of(definition: ResourceDefinition, unknown: Unknown) -> Checkers:
    """Return the checks of a resource type. They are compiled once and cached."""
    return Checkers(definition, drop_unknown=unknown == "ignore")


def validate_resource(
    resource: Any,
    definition: ResourceDefinition,
    *,
    stored: Mapping[str, Any] | None = None,
    unknown: Unknown = "ignore",
) -> dict[str, Any]:
    """Validate a resource for a create, or for a replace of *stored*, and return the resource to store.

    In a replace, read-only attributes keep their stored values. An immutable attribute may be left out but not changed. Raises
    ScimError (invalidSyntax, invalidValue, mutability) that names the attribute and the remedy.
    """
    if not isinstance(resource, dict):
        raise invalid_syntax(f"The body of a {definition.type.name} must be a JSON object.")
    checkers = checkers_of(definition, unknown)
    result: dict[str, Any] = {"schemas": []}
    _check_schemas(_get(resource, "schemas"), definition)
    for name, value in resource.items():
        attribute = definition.attribute(name)
        if attribute is not None:
            if not attribute.read_only and attribute.name != "schemas":
                _put(result, attribute.name, checkers.whole["", attribute.name](value))
            continue
        extension = definition.extension(name)
        if extension is not None:
            _put(result, extension.id, _check_extension(value, extension.id, definition, checkers, unknown))
        elif name.lower() != definition.schema.id.lower() and unknown == "refuse":
            raise unknown_attribute(name)
    if stored is not None:
        _merge_stored(result, stored, definition)
    check_required(result, definition)
    result["schemas"] = schemas_of(result, definition)
    return result


def check_required(resource: Mapping[str, Any], definition: ResourceDefinition) -> None:
    """Raise ScimError if a required attribute or extension has no value."""
    for attribute in definition.schema.attributes:
        # An empty userName counts as missing (RFC 7643, section 4.1.1).
        if attribute.required and not attribute.read_only and resource.get(attribute.name) in (None, "", []):
            raise invalid_value(f"{attribute.name} is required: send a value.", attribute.name)
    for extension in definition.extensions.values():
        content = resource.get(extension.id)
        if content is None:
            if extension.id in definition.required_extensions:
                raise invalid_value(f"The extension {extension.id} is required.", extension.id)
            continue
        for attribute in extension.attributes:
            if attribute.required and not attribute.read_only and content.get(attribute.name) in (None, "", []):
                place = f"{extension.id}:{attribute.name}"
                raise invalid_value(f"{place} is required: send a value.", place)


def schemas_of(resource: Mapping[str, Any], definition: ResourceDefinition) -> list[str]:
    """Return the `schemas` of a resource: the core schema, and each extension that has a value in the resource."""
    return [definition.schema.id, *(s.id for s in definition.extensions.values() if s.id in resource)]


def _check_schemas(value: Any, definition: ResourceDefinition) -> None:
    wanted = definition.schema.id
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid_value(f'schemas is required: send "schemas": ["{wanted}"].', "schemas")
    if wanted.lower() not in (item.lower() for item in value):
        raise invalid_value(f"schemas must contain {wanted}, the schema of a {definition.type.name}.", "schemas")


def _check_extension(
    value: Any, urn: str, definition: ResourceDefinition, checkers: Checkers, unknown: Unknown
) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise invalid_value(f"{urn} must be an object with the extension's attributes.", urn)
    result: dict[str, Any] = {}
    for name, item in value.items():
        attribute = definition.attribute(name, urn)
        if attribute is None:
            if unknown == "refuse":
                raise unknown_attribute(f"{urn}:{name}")
        elif not attribute.read_only:
            _put(result, attribute.name, checkers.whole[urn, attribute.name](item))
    return result or None


def _merge_stored(result: dict[str, Any], stored: Mapping[str, Any], definition: ResourceDefinition) -> None:
    for urn, attribute in _declared_attributes(definition):
        if attribute.mutability not in ("readOnly", "immutable"):
            continue
        kept = (stored.get(urn) or {}).get(attribute.name) if urn else stored.get(attribute.name)
        if kept is None:
            continue
        container = result.setdefault(urn, {}) if urn else result
        sent = container.get(attribute.name)
        if attribute.mutability == "immutable" and sent is not None and sent != kept:
            place = f"{urn}:{attribute.name}" if urn else attribute.name
            raise mutability_error(f"{place} is immutable: it keeps the value that it was created with.", place)
        container[attribute.name] = copy_json(kept)


def _declared_attributes(definition: ResourceDefinition) -> list[tuple[str, Attribute]]:
    core = [("", attribute) for attribute in definition.attributes]
    return core + [(s.id, attribute) for s in definition.extensions.values() for attribute in s.attributes]


def _get(resource: Mapping[str, Any], name: str) -> Any:
    if name in resource:
        return resource[name]
    return next((value for key, value in resource.items() if key.lower() == name), None)


def _put(result: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        return
    if name in result:
        raise invalid_value(f"{name} occurs twice, in different spellings.", name)
    result[name] = value
