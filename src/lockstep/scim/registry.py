"""The schemas and resource types of one tenant, and what a path means in each resource type.

A registry is immutable. Adding an extension returns a new registry, so everything that was compiled for the old one stays valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

import orjson

from lockstep.scim.errors import invalid_path, invalid_value, mutability_error, not_found
from lockstep.scim.names import AttributePath
from lockstep.scim.schema import (
    Attribute,
    ResourceType,
    Schema,
    resource_type_from_json,
    schema_from_json,
)

MOST_SPELLINGS = 256  # cached spellings of declared names, per resource type

META = Attribute(
    "meta",
    "complex",
    mutability="readOnly",
    sub_attributes=(
        Attribute("resourceType", case_exact=True, mutability="readOnly"),
        Attribute("created", "dateTime", mutability="readOnly"),
        Attribute("lastModified", "dateTime", mutability="readOnly"),
        Attribute("location", "reference", case_exact=True, mutability="readOnly"),
        Attribute("version", case_exact=True, mutability="readOnly"),
    ),
    description="When, where and which version.",
)
# Every resource has these attributes, although no schema declares them (RFC 7643, section 3.1).
COMMON_ATTRIBUTES = (
    Attribute("schemas", "reference", multi_valued=True, required=True, case_exact=True, returned="always"),
    Attribute("id", case_exact=True, mutability="readOnly", returned="always", uniqueness="server"),
    Attribute("externalId", case_exact=True),
    META,
)


class PathTarget(NamedTuple):
    """The meaning of a path in a resource type.

    *urn* is the URN of the extension, or "" for the core schema. *attribute* is None if the path means the whole extension.
    """

    urn: str
    attribute: Attribute | None
    sub: Attribute | None = None

    @property
    def leaf(self) -> Attribute | None:
        """The sub-attribute if there is one, otherwise the attribute."""
        return self.sub or self.attribute

    @property
    def known(self) -> Attribute:
        """The attribute that the path names. Raises ScimError (invalidPath) if the path means a whole extension."""
        if self.attribute is None:
            raise invalid_path(f"{self} is a schema, not an attribute.", str(self))
        return self.attribute

    @property
    def writable(self) -> Attribute:
        """The attribute that the path names. Raises ScimError (mutability) if clients may not write it or its sub-attribute."""
        if self.known.read_only or (self.sub is not None and self.sub.read_only):
            raise mutability_error(f"{self} is read-only: the service sets it.", str(self))
        return self.known

    @property
    def is_primary(self) -> bool:
        return self.sub is not None and self.sub.name == "primary"

    def __str__(self) -> str:
        parts = [attribute.name for attribute in (self.attribute, self.sub) if attribute]
        return ":".join(part for part in (self.urn, ".".join(parts)) if part)


class ResourceDefinition:
    """A resource type with its schemas. Definitions are compared by identity, so that they can be cache keys for compiled
    functions.
    """

    def __init__(self, resource_type: ResourceType, core: Schema, extensions: Iterable[tuple[Schema, bool]]) -> None:
        self.type = resource_type
        self.schema = core
        self.extensions: Mapping[str, Schema] = {schema.id.lower(): schema for schema, _ in extensions}
        self.required_extensions = frozenset(schema.id for schema, required in extensions if required)
        declared = {attribute.name.lower() for attribute in core.attributes}
        common = tuple(a for a in COMMON_ATTRIBUTES if a.name.lower() not in declared)
        self.attributes: tuple[Attribute, ...] = common + core.attributes
        self._by_name = {attribute.name.lower(): attribute for attribute in self.attributes}
        self._by_extension = {
            urn: {attribute.name.lower(): attribute for attribute in schema.attributes}
            for urn, schema in self.extensions.items()
        }
        self._found: dict[AttributePath, PathTarget] = {}

    def attribute(self, name: str, urn: str = "") -> Attribute | None:
        """Find an attribute by its name, in any letter case. Search the extension *urn* or, if *urn* is "", the core and common
        attributes.
        """
        if not urn or urn.lower() == self.schema.id.lower():
            return self._by_name.get(name.lower())
        return self._by_extension.get(urn.lower(), {}).get(name.lower())

    def extension(self, urn: str) -> Schema | None:
        """Find the extension schema with the URN *urn*, in any letter case."""
        return self.extensions.get(urn.lower())

    def find(self, path: AttributePath) -> PathTarget | None:
        """Return what *path* refers to, with the spelling of the schema, or None if no schema of this resource type declares it."""
        known = self._found.get(path)
        if known is not None:
            return known
        target = self._resolve(path)
        # Only declared names are cached, because the number of undeclared names is unlimited.
        if target is not None:
            if len(self._found) >= MOST_SPELLINGS:
                self._found.clear()
            self._found[path] = target
        return target

    def _resolve(self, path: AttributePath) -> PathTarget | None:
        whole = self.extension(f"{path.schema}:{path.name}" if path.name and path.schema else path.schema)
        if whole is not None and (not path.name or not self._declares(path)):
            if not path.sub:
                return PathTarget(whole.id, None)
            # urn:...:User.department has a dot instead of the colon.
            attribute = self.attribute(path.sub, whole.id)
            return PathTarget(whole.id, attribute) if attribute else None
        if not path.name:
            return None
        extension = self.extension(path.schema)
        if path.schema and extension is None and path.schema.lower() != self.schema.id.lower():
            return None
        attribute = self.attribute(path.name, path.schema)
        if attribute is None:
            return None
        sub = attribute.sub(path.sub) if path.sub else None
        if path.sub and sub is None:
            return None
        return PathTarget(extension.id if extension else "", attribute, sub)

    def _declares(self, path: AttributePath) -> bool:
        return self.attribute(path.name, path.schema) is not None


class SchemaRegistry:
    """The schemas and resource types of one tenant."""

    def __init__(self, schemas: Iterable[Schema], resource_types: Iterable[ResourceType]) -> None:
        self.schemas: Mapping[str, Schema] = {schema.id.lower(): schema for schema in schemas}
        self.resource_types: Mapping[str, ResourceType] = {kind.name.lower(): kind for kind in resource_types}
        self._definitions = {name: self._define(kind) for name, kind in self.resource_types.items()}
        self._by_endpoint = {d.type.endpoint.strip("/").lower(): d for d in self._definitions.values()}

    def schema(self, urn: str) -> Schema:
        """Return the schema with the URN *urn*. Raises ScimError 404 if it is unknown."""
        found = self.schemas.get(urn.lower())
        if found is None:
            raise not_found(f"Unknown schema {urn[:200]!r}; GET /Schemas lists them.")
        return found

    def resource(self, name: str) -> ResourceDefinition:
        """Return the resource type called *name*, such as "User". Raises ScimError 404 if it is unknown."""
        found = self._definitions.get(name.lower())
        if found is None:
            raise not_found(f"Unknown resource type {name[:200]!r}; GET /ResourceTypes lists them.")
        return found

    def at_endpoint(self, endpoint: str) -> ResourceDefinition | None:
        """Return the resource type at *endpoint*, such as "Users" in any letter case, or None."""
        return self._by_endpoint.get(endpoint.strip("/").lower())

    def definitions(self) -> tuple[ResourceDefinition, ...]:
        """Return all resource types in the order of declaration."""
        return tuple(self._definitions.values())

    def with_schema(self, schema: Schema | Any) -> SchemaRegistry:
        """Return a registry that also has *schema* (a Schema or its JSON). The core schemas cannot be replaced."""
        added = schema if isinstance(schema, Schema) else schema_from_json(schema)
        if added.id.lower() in default_registry().schemas:
            raise invalid_value(f"{added.id} is part of the standard and cannot be redefined.", "id")
        return SchemaRegistry([*self.schemas.values(), added], self.resource_types.values())

    def with_resource_type(self, resource_type: ResourceType | Any) -> SchemaRegistry:
        """Return a registry that also has *resource_type* (or its JSON). The schemas of the resource type must already be in the registry.

        The schema of a standard resource type cannot be replaced.
        """
        added = resource_type if isinstance(resource_type, ResourceType) else resource_type_from_json(resource_type)
        standard = default_registry().resource_types.get(added.name.lower())
        if standard is not None and standard.schema != added.schema:
            raise invalid_value(f"{added.name} is part of the standard and keeps its schema.", "schema")
        taken = self.at_endpoint(added.endpoint)
        if taken is not None and taken.type.name.lower() != added.name.lower():
            raise invalid_value(f"The endpoint {added.endpoint} belongs to {taken.type.name}.", "endpoint")
        others = [kind for kind in self.resource_types.values() if kind.name.lower() != added.name.lower()]
        return SchemaRegistry(self.schemas.values(), [*others, added])

    def with_extension(self, resource: str, schema: Schema | Any, *, required: bool = False) -> SchemaRegistry:
        """Return a registry in which *schema* (or its JSON) extends the resource type *resource*."""
        added = schema if isinstance(schema, Schema) else schema_from_json(schema)
        known = self.schemas.get(added.id.lower())
        registry = self if known == added else self.with_schema(added)
        kind = self.resource(resource).type
        kept = tuple(pair for pair in kind.extensions if pair[0].lower() != added.id.lower())
        extended = ResourceType(kind.name, kind.endpoint, kind.schema, (*kept, (added.id, required)), kind.description)
        kinds = [extended if k.name == kind.name else k for k in registry.resource_types.values()]
        return SchemaRegistry(registry.schemas.values(), kinds)

    def _define(self, kind: ResourceType) -> ResourceDefinition:
        missing = [urn for urn in (kind.schema, *(u for u, _ in kind.extensions)) if urn.lower() not in self.schemas]
        if missing:
            raise invalid_value(f"{kind.name} names the schema {missing[0]!r}, which is not declared.", "schema")
        extensions = [(self.schemas[urn.lower()], required) for urn, required in kind.extensions]
        return ResourceDefinition(kind, self.schemas[kind.schema.lower()], extensions)


@lru_cache(maxsize=1)
def default_registry() -> SchemaRegistry:
    """Return the schemas and resource types of the standard, loaded once from the package."""
    schemas: list[Schema] = []
    kinds: list[ResourceType] = []
    folder = resources.files("lockstep.scim") / "schemas"
    for name in _FILES:
        document = orjson.loads((folder / f"{name}.json").read_bytes())
        if name.startswith("resource_type_"):
            kinds.append(resource_type_from_json(document))
        else:
            schemas.append(schema_from_json(document))
    return SchemaRegistry(schemas, kinds)


_FILES = (
    "user",
    "enterprise_user",
    "group",
    "role",
    "entitlement",
    "service_provider_config",
    "resource_type",
    "schema",
    "resource_type_user",
    "resource_type_group",
    "resource_type_role",
    "resource_type_entitlement",
)
