"""The schemas of a tenant: the standard schemas and the tenant's own.

Tenants with the same schemas share one registry, so that everything compiled for it is compiled only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from lockstep.scim.errors import invalid_value
from lockstep.scim.registry import ResourceDefinition, SchemaRegistry, default_registry
from lockstep.scim.schema import Attribute, schema_from_json

_RESERVED = frozenset({"me", "bulk", "schemas", "resourcetypes", "serviceproviderconfig", "serviceconfiguration"})
_COMMON = frozenset({"id", "externalid", "meta", "schemas"})
_PARTS = ("schemas", "resourceTypes", "extensions")


@dataclass(frozen=True, slots=True)
class Custom:
    """A tenant's own schemas, resource types and extensions, each a JSON list."""

    schemas: bytes = b"[]"
    resource_types: bytes = b"[]"
    extensions: bytes = b"[]"

    @classmethod
    def read(cls, document: Any) -> Custom:
        """Read a file's JSON object with `schemas`, `resourceTypes` and `extensions`. Raises ScimError for any other shape."""
        if not isinstance(document, dict):
            raise invalid_value(f"The file must be a JSON object with the keys {', '.join(_PARTS)}.")
        if strange := sorted(document.keys() - set(_PARTS)):
            raise invalid_value(f"The file has the unknown key {strange[0][:60]!r}. Known keys: {', '.join(_PARTS)}.")
        for part in _PARTS:
            if not isinstance(document.get(part, []), list):
                raise invalid_value(f"{part} must be a list.", part)
        return cls.of(*(document.get(part) for part in _PARTS))

    @classmethod
    def of(cls, schemas: Any, resource_types: Any, extensions: Any) -> Custom:
        return cls(*(orjson.dumps(part or []) for part in (schemas, resource_types, extensions)))

    def columns(self) -> dict[str, Any]:
        return {
            "custom_schemas": orjson.loads(self.schemas),
            "custom_resource_types": orjson.loads(self.resource_types),
            "custom_extensions": orjson.loads(self.extensions),
        }


@lru_cache(maxsize=256)
def registry_of(custom: Custom) -> SchemaRegistry:
    """Return the registry with the tenant's own additions. Raises ScimError for an invalid schema, resource type or extension."""
    registry = default_registry()
    for schema in orjson.loads(custom.schemas):
        registry = registry.with_schema(schema)
    for resource_type in orjson.loads(custom.resource_types):
        registry = registry.with_resource_type(resource_type)
    for extension in orjson.loads(custom.extensions):
        if not isinstance(extension, dict) or not all(
            isinstance(extension.get(key), str) for key in ("resource", "schema")
        ):
            raise invalid_value("An extension must be an object that names a resource and a schema.", "extensions")
        schema = registry.schema(extension["schema"])
        registry = registry.with_extension(extension["resource"], schema, required=extension.get("required") is True)
    return registry


def check_custom(custom: Custom) -> None:
    """Raise ScimError for additions that Documo cannot serve as declared: an endpoint or attribute name that the protocol reserves, or
    uniqueness that Documo does not enforce.
    """
    registry = registry_of(custom)
    for resource_type in orjson.loads(custom.resource_types):
        if resource_type["endpoint"].strip("/").lower() in _RESERVED:
            raise invalid_value(f"The endpoint {resource_type['endpoint']} is reserved by the protocol.", "endpoint")
    unique = {unique_attribute(definition) for definition in registry.definitions()}
    for schema in map(schema_from_json, orjson.loads(custom.schemas)):
        for attribute in schema.attributes:
            if attribute.name.lower() in _COMMON:
                raise invalid_value(
                    f"{attribute.name} is an attribute of every resource and cannot be declared.", "attributes"
                )
            if attribute.uniqueness != "none" and attribute not in unique:
                raise invalid_value(
                    f"{attribute.name} cannot be unique: Documo enforces only the first unique string of each custom resource type.",
                    "uniqueness",
                )


@lru_cache(maxsize=256)
def unique_attribute(definition: ResourceDefinition) -> Attribute | None:
    """Return the attribute whose value must be unique among resources of this type, or None. The value is stored in a column with a unique
    index.
    """
    return next((a for a in definition.schema.attributes if a.uniqueness != "none" and a.type == "string"), None)
