"""The schemas of a tenant: the standard's, and the tenant's own.

Registries are shared by content: two tenants with the same schemas share one, so what is compiled for it is compiled once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from lockstep.scim.registry import SchemaRegistry, default_registry


@dataclass(frozen=True, slots=True)
class Custom:
    """A tenant's own schemas, resource types and extensions, each a JSON list."""

    schemas: bytes = b"[]"
    resource_types: bytes = b"[]"
    extensions: bytes = b"[]"

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
    """The registry with the tenant's own additions. Raises ScimError for what is no schema or resource type."""
    registry = default_registry()
    for schema in orjson.loads(custom.schemas):
        registry = registry.with_schema(schema)
    for resource_type in orjson.loads(custom.resource_types):
        registry = registry.with_resource_type(resource_type)
    for extension in orjson.loads(custom.extensions):
        schema = registry.schema(extension["schema"])
        registry = registry.with_extension(extension["resource"], schema, required=bool(extension.get("required")))
    return registry
