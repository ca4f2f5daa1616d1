"""Attributes, schemas and resource types (RFC 7643, sections 2, 6 and 7), and their JSON.

Names are compared ignoring case, but a stored document always has the declared spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from lockstep.scim.errors import ScimError, invalid_value

Type = Literal["string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex"]
Mutability = Literal["readOnly", "readWrite", "immutable", "writeOnly"]
Returned = Literal["always", "never", "default", "request"]
Uniqueness = Literal["none", "server", "global"]

SCHEMA_URN = "urn:ietf:params:scim:schemas:core:2.0:Schema"
RESOURCE_TYPE_URN = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"

_NAME = re.compile(r"\$?[A-Za-z][A-Za-z0-9_$-]*\Z")
_URN = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:[^\s\[\]()\"]+\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a schema. A sub-attribute is an Attribute without sub-attributes."""

    name: str
    type: Type = "string"
    multi_valued: bool = False
    required: bool = False
    case_exact: bool = False
    mutability: Mutability = "readWrite"
    returned: Returned = "default"
    uniqueness: Uniqueness = "none"
    canonical_values: tuple[str, ...] = ()
    reference_types: tuple[str, ...] = ()
    sub_attributes: tuple[Attribute, ...] = ()
    description: str = ""
    by_name: Mapping[str, Attribute] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {sub.name.lower(): sub for sub in self.sub_attributes})

    def sub(self, name: str) -> Attribute | None:
        """Find the sub-attribute called *name*, in any letter case."""
        return self.by_name.get(name.lower())

    @property
    def is_complex(self) -> bool:
        return self.type == "complex"

    @property
    def read_only(self) -> bool:
        return self.mutability == "readOnly"


@dataclass(frozen=True, slots=True)
class Schema:
    """A named set of attributes; *id* is its URN."""

    id: str
    name: str
    description: str = ""
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A type of resource: its endpoint, its schema, and its extensions. Each extension is a pair of its URN and a flag, which is true if
    the extension is required.
    """

    name: str
    endpoint: str
    schema: str
    extensions: tuple[tuple[str, bool], ...] = ()
    description: str = ""


def schema_from_json(document: Any) -> Schema:
    """Read a schema from JSON. If the JSON is malformed, raises ScimError("invalidValue") with the name of the invalid part."""
    body = _object(document, "schema")
    urn = _text(body, "id", "schema")
    if not _URN.match(urn):
        raise invalid_value(f"The schema's id {urn[:80]!r} is not a URN: write urn:<namespace>:<name>.", "id")
    # Only the schema of schemas nests complex attributes (RFC 7643, section 7).
    attributes = _attributes(body.get("attributes"), "attributes", levels=2 if urn == SCHEMA_URN else 1)
    return Schema(urn, _text(body, "name", urn, default=urn.rsplit(":", 1)[-1]), _description(body), attributes)


def schema_to_json(schema: Schema) -> dict[str, Any]:
    """Build the body of a schema as `/Schemas` returns it, without meta."""
    return {
        "schemas": [SCHEMA_URN],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": [attribute_to_json(attribute) for attribute in schema.attributes],
    }


def attribute_to_json(attribute: Attribute) -> dict[str, Any]:
    """Build the JSON of one attribute for `/Schemas`, with every characteristic stated explicitly."""
    body: dict[str, Any] = {
        "name": attribute.name,
        "type": attribute.type,
        "multiValued": attribute.multi_valued,
        "description": attribute.description,
        "required": attribute.required,
        "caseExact": attribute.case_exact,
        "mutability": attribute.mutability,
        "returned": attribute.returned,
        "uniqueness": attribute.uniqueness,
    }
    if attribute.canonical_values:
        body["canonicalValues"] = list(attribute.canonical_values)
    if attribute.reference_types:
        body["referenceTypes"] = list(attribute.reference_types)
    if attribute.sub_attributes:
        body["subAttributes"] = [attribute_to_json(sub) for sub in attribute.sub_attributes]
    return body


def resource_type_from_json(document: Any) -> ResourceType:
    """Read a resource type from JSON. If the JSON is malformed, raises ScimError("invalidValue") with the name of the invalid part."""
    body = _object(document, "resource type")
    name = _text(body, "name", "resource type")
    endpoint = _text(body, "endpoint", name)
    if not re.match(r"/[A-Za-z][A-Za-z0-9_-]*\Z", endpoint):
        raise invalid_value(f"The endpoint {endpoint[:80]!r} of {name} must look like /Devices.", "endpoint")
    extensions = body.get("schemaExtensions") or []
    if not isinstance(extensions, list):
        raise invalid_value("schemaExtensions must be a list of objects.", "schemaExtensions")
    pairs = []
    for extension in extensions:
        entry = _object(extension, "schemaExtensions")
        pairs.append((_text(entry, "schema", "schemaExtensions"), entry.get("required") is True))
    return ResourceType(name, endpoint, _text(body, "schema", name), tuple(pairs), _description(body))


def resource_type_to_json(resource_type: ResourceType) -> dict[str, Any]:
    """Build the body of a resource type as `/ResourceTypes` returns it, without meta."""
    body: dict[str, Any] = {
        "schemas": [RESOURCE_TYPE_URN],
        "id": resource_type.name,
        "name": resource_type.name,
        "endpoint": resource_type.endpoint,
        "description": resource_type.description,
        "schema": resource_type.schema,
    }
    if resource_type.extensions:
        body["schemaExtensions"] = [{"schema": urn, "required": required} for urn, required in resource_type.extensions]
    return body


def _attributes(value: Any, place: str, *, levels: int) -> tuple[Attribute, ...]:
    if not isinstance(value, list) or not value:
        raise invalid_value(f"{place} must be a list with at least one attribute.", place)
    attributes = tuple(_attribute(item, place, levels=levels) for item in value)
    names = [attribute.name.lower() for attribute in attributes]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise invalid_value(f"{place} declares {twice!r} twice; names must differ by more than case.", place)
    return attributes


def _attribute(value: Any, place: str, *, levels: int) -> Attribute:
    body = _object(value, place)
    name = _text(body, "name", place)
    if not _NAME.match(name):
        raise invalid_value(
            f"{name[:80]!r} in {place} is not a valid attribute name: use letters, digits, _ and -.", place
        )
    here = f"{place}.{name}"
    kind = cast(Type, _choice(body, "type", get_args(Type), here, default="string"))
    if (kind == "complex") != bool(body.get("subAttributes")):
        raise invalid_value(f"{here}: subAttributes are required for type complex and allowed only there.", here)
    if kind == "complex" and not levels:
        raise invalid_value(f"{here}: a sub-attribute cannot be complex (RFC 7643, section 2.3.8).", here)
    return Attribute(
        name=name,
        type=kind,
        multi_valued=_flag(body, "multiValued", here),
        required=_flag(body, "required", here),
        case_exact=_flag(body, "caseExact", here, default=kind in ("reference", "binary")),
        mutability=cast(Mutability, _choice(body, "mutability", get_args(Mutability), here, default="readWrite")),
        returned=cast(Returned, _choice(body, "returned", get_args(Returned), here, default="default")),
        uniqueness=cast(Uniqueness, _choice(body, "uniqueness", get_args(Uniqueness), here, default="none")),
        canonical_values=_texts(body, "canonicalValues", here),
        reference_types=_texts(body, "referenceTypes", here),
        sub_attributes=_attributes(body["subAttributes"], here, levels=levels - 1) if kind == "complex" else (),
        description=_description(body),
    )


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(place, "an object")
    return value


def _text(body: Mapping[str, Any], key: str, place: str, *, default: str = "") -> str:
    value = body.get(key, default)
    if not isinstance(value, str) or not value:
        raise _wrong(f"{place}: {key}", "a string")
    return value


def _description(body: Mapping[str, Any]) -> str:
    value = body.get("description")
    return value if isinstance(value, str) else ""


def _flag(body: Mapping[str, Any], key: str, place: str, *, default: bool = False) -> bool:
    value = body.get(key, default)
    if not isinstance(value, bool):
        raise _wrong(f"{place}: {key}", "true or false")
    return value


def _choice(body: Mapping[str, Any], key: str, choices: Sequence[str], place: str, *, default: str) -> str:
    value = body.get(key, default)
    if value not in choices:
        raise _wrong(f"{place}: {key}", "one of " + ", ".join(choices))
    return str(value)


def _texts(body: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    value = body.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(f"{place}: {key}", "a list of strings")
    return tuple(value)


def _wrong(place: str, wanted: str) -> ScimError:
    return invalid_value(f"{place} must be {wanted}.", place)
