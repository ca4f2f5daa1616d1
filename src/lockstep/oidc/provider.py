"""A provider: its configuration, its metadata (OpenID Connect Discovery 1.0), and the requests to it.

Keys are not cached between two sign-ins, so a withdrawn key is refused at once, and a new key is accepted at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
from authlib.common.urls import add_params_to_uri
from authlib.oidc.discovery import get_well_known_url

from lockstep.errors import Kind, LockstepError, invalid
from lockstep.http.deadline import end_of_request
from lockstep.http.trouble import WireError

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient, Response

SECONDS = 10.0  # for each request
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class ClientRegistration:
    """Lockstep's registration as a client of the provider *name*. Without a *secret*, Lockstep is a public client."""

    name: str
    issuer: str
    id: str
    secret: str = field(repr=False)
    scopes: tuple[str, ...] = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True)
class Metadata:
    """The endpoints of a provider. A missing endpoint is "". *sends_issuer* is true if the provider's authorization responses name the
    issuer (RFC 9207).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    auth_methods: tuple[str, ...] = ("client_secret_basic",)
    sends_issuer: bool = False


async def discover(http: HttpClient, issuer: str) -> Metadata:
    """Read the metadata of the provider *issuer*. Raises LockstepError if the provider cannot be reached, names another issuer, or has no
    usable address for an endpoint that Lockstep needs.
    """
    found = await get_json(http, get_well_known_url(issuer, external=True), what="discovery document")
    if found.get("issuer") != issuer:
        raise invalid(
            f"The discovery document of {issuer} names another issuer: {str(found.get('issuer'))[:200]}",
            why="Tokens are accepted only from the issuer that is set up (OpenID Connect Discovery, section 4.3)",
            next_step="Enter the issuer exactly as the provider writes it, with or without a slash at the end",
        )
    for endpoint in _ENDPOINTS:
        _require_place(http, endpoint, found.get(endpoint))
    return Metadata(
        issuer=issuer,
        authorization_endpoint=found["authorization_endpoint"],
        token_endpoint=found["token_endpoint"],
        jwks_uri=found["jwks_uri"],
        userinfo_endpoint=_optional(found, "userinfo_endpoint"),
        end_session_endpoint=_optional(found, "end_session_endpoint"),
        auth_methods=tuple(found.get("token_endpoint_auth_methods_supported") or ("client_secret_basic",)),
        sends_issuer=found.get("authorization_response_iss_parameter_supported") is True,
    )


def with_query(url: str, **query: str) -> str:
    """Return *url* with the parameters in *query* added."""
    added: str = add_params_to_uri(url, list(query.items()))
    return added


def _require_place(http: HttpClient, endpoint: str, url: object) -> None:
    if not isinstance(url, str) or not url:
        raise invalid(
            f"The discovery document lacks {endpoint}", next_step="Check the issuer: lockstep admins sso test"
        )
    try:
        http.rules.check_url(url)
    except OSError as refused:
        raise invalid(
            f"The {endpoint} {url[:200]} may not be used: {refused}", next_step=getattr(refused, "next_step", "")
        ) from None


def _optional(found: Mapping[str, Any], name: str) -> str:
    """Return the URL in the field *name* of the metadata. Returns "" if the field is missing or is not an http or https URL."""
    url = found.get(name)
    return url if isinstance(url, str) and urlsplit(url).scheme in ("https", "http") else ""


async def get_json(
    http: HttpClient, url: str, *, what: str, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Read the JSON object at *url*. Raises LockstepError if it cannot be read. *what* names the document in the error."""
    answer = await send(http, "GET", url, headers={"Accept": "application/json", **(headers or {})})
    if answer.status != 200:
        raise unusable(url, f"The {what} cannot be read: HTTP {answer.status} at {url}")
    return json_of(answer, url, what=what)


def json_of(answer: Response, url: str, *, what: str) -> dict[str, Any]:
    """Return the JSON object in *answer*. Raises LockstepError if there is none."""
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise unusable(url, f"The {what} is not a JSON object")
    return found


async def send(
    http: HttpClient, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
) -> Response:
    """Send one request to the provider. Raises LockstepError if there is no complete response."""
    try:
        return await http.send(method, url, headers=headers, body=body, deadline=end_of_request(SECONDS))
    except WireError as failed:
        raise LockstepError(
            Kind.UNREACHABLE,
            f"{urlsplit(url).hostname} cannot be reached",
            why=failed.sentence,
            next_step=failed.next_step or "Try again in a moment",
            retryable=True,
        ) from None


def unusable(url: str, why: str) -> LockstepError:
    return LockstepError(
        Kind.UNREACHABLE,
        f"{urlsplit(url).hostname} sent an unusable response",
        why=why,
        next_step="Check the issuer: lockstep admins sso test",
    )
