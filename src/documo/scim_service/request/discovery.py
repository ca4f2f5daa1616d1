"""Service discovery (RFC 7644, section 4): configuration, resource types and schemas of the caller's tenant."""

from __future__ import annotations

import orjson

from documo.scim_service.request.exchange import MethodNotAllowed, Request, ScimAnswer
from documo.scim_service.search.query import MAX_PAGE, PAGE_SIZE
from documo.security_events import EVENT_URIS
from lockstep.scim.discovery import (
    ServiceFacts,
    resource_type_body,
    resource_types_body,
    schema_body,
    schemas_body,
    service_provider_config,
)
from lockstep.scim.errors import ScimError, not_found

FACTS = ServiceFacts(
    max_results=MAX_PAGE,
    default_page_size=PAGE_SIZE,
    authentication_schemes=(
        {
            "type": "oauthbearertoken",
            "name": "API key",
            "description": "An API key of an Admin, sent as a bearer token.",
            "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
            "primary": True,
        },
        {
            "type": "oauth2",
            "name": "OAuth 2.0 client credentials",
            "description": "A token from /oauth/token, obtained with the id of a key and the key itself.",
            "specUri": "https://www.rfc-editor.org/rfc/rfc6749#section-4.4",
        },
    ),
)
CONFIG, TYPES, SCHEMAS = ("serviceproviderconfig", "serviceconfiguration"), "resourcetypes", "schemas"


def is_discovery(segment: str) -> bool:
    """Whether the first part of a path names a discovery endpoint, in any letter case. Discovery endpoints contain no data of an
    account.
    """
    return segment.lower() in (*CONFIG, TYPES, SCHEMAS)


def describe(request: Request, segments: list[str]) -> ScimAnswer:
    """Return the response of a discovery endpoint. Raises ScimError for an unknown path, and for a filter."""
    if request.method != "GET":
        raise MethodNotAllowed(request.method, ("GET",))
    # RFC 7644, section 4, forbids filters here: a client could conclude that a resource type that is filtered out does not exist.
    if b"filter=" in request.query.lower():
        raise ScimError(403, "", "Discovery endpoints do not accept a filter.")
    name, registry, base = segments[0].lower(), request.tenant.registry, request.base_url
    which = "/".join(segments[1:])
    if name in CONFIG and not which:
        told = {"asyncRequest": "none", "eventUris": list(EVENT_URIS)} if request.tenant.has_streams else None
        return _answer({**service_provider_config(FACTS, base), **({"securityEvents": told} if told else {})})
    if name == TYPES:
        if not which:
            return _answer(resource_types_body(registry, base))
        return _answer(resource_type_body(registry.resource(which).type, base))
    if name == SCHEMAS:
        return _answer(schema_body(registry.schema(which), base) if which else schemas_body(registry, base))
    raise not_found(f"There is nothing at /{'/'.join(segments)[:200]}.")


def _answer(body: dict[str, object]) -> ScimAnswer:
    return ScimAnswer(200, orjson.dumps(body))
