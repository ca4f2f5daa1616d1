"""Build the bodies of `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` from a tenant's registry (RFC 7644, section 4).

Locations are built from the configured base URL, which the caller passes, never from the URL of a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lockstep.scim.messages import list_response
from lockstep.scim.registry import SchemaRegistry
from lockstep.scim.schema import ResourceType, Schema, resource_type_to_json, schema_to_json

CONFIG_URN: Final = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """The capabilities of a service. Sizes are in bytes, the lifetime of a cursor in seconds."""

    documentation_uri: str = ""
    patch: bool = True
    bulk: bool = True
    max_operations: int = 1000
    max_payload_bytes: int = 10 * 1024 * 1024
    max_results: int = 1000
    change_password: bool = True
    sort: bool = True
    etag: bool = True
    default_page_size: int = 100
    cursor_timeout_seconds: int = 3600
    authentication_schemes: Sequence[Mapping[str, Any]] = field(
        default=(
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "An API key, sent as a bearer token.",
                "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
                "primary": True,
            },
        )
    )


def service_provider_config(facts: ServiceFacts, base_url: str) -> dict[str, Any]:
    """Build the body of `/ServiceProviderConfig`, including the pagination settings of RFC 9865."""
    body: dict[str, Any] = {
        "schemas": [CONFIG_URN],
        "patch": {"supported": facts.patch},
        "bulk": {
            "supported": facts.bulk,
            "maxOperations": facts.max_operations,
            "maxPayloadSize": facts.max_payload_bytes,
        },
        "filter": {"supported": True, "maxResults": facts.max_results},
        "changePassword": {"supported": facts.change_password},
        "sort": {"supported": facts.sort},
        "etag": {"supported": facts.etag},
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": facts.default_page_size,
            "maxPageSize": facts.max_results,
            "cursorTimeout": facts.cursor_timeout_seconds,
        },
        "authenticationSchemes": [dict(scheme) for scheme in facts.authentication_schemes],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base_url}/ServiceProviderConfig"},
    }
    if facts.documentation_uri:
        body["documentationUri"] = facts.documentation_uri
    return body


def resource_type_body(resource_type: ResourceType, base_url: str) -> dict[str, Any]:
    """Build the body of one resource type."""
    location = f"{base_url}/ResourceTypes/{resource_type.name}"
    return {**resource_type_to_json(resource_type), "meta": {"resourceType": "ResourceType", "location": location}}


def schema_body(schema: Schema, base_url: str) -> dict[str, Any]:
    """Build the body of one schema."""
    return {
        **schema_to_json(schema),
        "meta": {"resourceType": "Schema", "location": f"{base_url}/Schemas/{schema.id}"},
    }


def resource_types_body(registry: SchemaRegistry, base_url: str) -> dict[str, Any]:
    """Build the ListResponse of `/ResourceTypes`."""
    bodies = [resource_type_body(definition.type, base_url) for definition in registry.definitions()]
    return list_response(bodies, len(bodies), start_index=1)


def schemas_body(registry: SchemaRegistry, base_url: str) -> dict[str, Any]:
    """Build the ListResponse of `/Schemas`."""
    bodies = [schema_body(schema, base_url) for schema in registry.schemas.values()]
    return list_response(bodies, len(bodies), start_index=1)
