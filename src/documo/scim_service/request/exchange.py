"""One request in the service, and its response.

*base_url* is the configured address of the API or the tenant's custom domain; it never comes from the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from documo.scim_service.tenant.tenants import ScimTenant, TenantCaller
from lockstep.scim.errors import ScimError, invalid_syntax, invalid_value
from lockstep.scim.limits import MAX_BODY_BYTES, MAX_NAME, check_keys, read_json
from lockstep.scim.messages import SearchRequest, search_from_body, search_from_query
from lockstep.scim.normalize import normalize_search
from lockstep.scim.registry import ResourceDefinition

MEDIA_TYPE = b"application/scim+json"


@dataclass(frozen=True, slots=True)
class Conditions:
    """The headers If-Match and If-None-Match of a request; "" if absent."""

    if_match: str = ""
    if_none_match: str = ""


@dataclass(slots=True)
class ScimAnswer:
    """A response. *etag* and *location* become headers."""

    status: int
    body: bytes = b""
    etag: str = ""
    location: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def told(self) -> dict[str, str]:
        """The response headers that affect the client's behaviour, for the request log."""
        told = {name.decode(): value.decode("latin-1") for name, value in self.headers}
        if self.etag:
            told["etag"] = self.etag
        if self.location:
            told["location"] = self.location
        return told


class MethodNotAllowed(ScimError):
    """Raised for status 405, with the allowed methods. GET also allows HEAD (RFC 9110, section 9.1)."""

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        self.allowed = [*allowed, "HEAD"] if "GET" in allowed else list(allowed)
        super().__init__(405, "", f"{method} is not allowed here. Allowed methods: {', '.join(self.allowed)}.")


@dataclass(slots=True)
class Request:
    """A request of an authenticated caller. *tolerances* collects the names of the applied tolerances, for the request log."""

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    base_url: str
    caller: TenantCaller
    tolerances: list[str] = field(default_factory=list)
    resource_id: str = ""  # of a create in a bulk request: the id chosen in advance

    @property
    def tenant(self) -> ScimTenant:
        return self.caller.tenant

    @property
    def conditions(self) -> Conditions:
        match, none_match = self.headers.get(b"if-match", b""), self.headers.get(b"if-none-match", b"")
        return Conditions(match.decode("latin-1").strip(), none_match.decode("latin-1").strip())

    def parameters(self) -> dict[str, str]:
        """Return the query parameters, with names in lower case. Raises ScimError for invalid UTF-8, for NUL, and for more than 50
        parameters.
        """
        if not self.query:
            return {}
        try:
            pairs = parse_qsl(self.query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
        except (UnicodeDecodeError, ValueError):
            raise invalid_value("The query string is not form-encoded UTF-8 with at most 50 parameters.") from None
        if any("\x00" in value or "\x00" in name for name, value in pairs):
            raise invalid_value("The query string contains the character NUL, which is not allowed.")
        return {name.lower(): value for name, value in pairs}

    def search(self) -> SearchRequest:
        """Return the search parameters of the query string, for a list or for one resource. Raises ScimError."""
        return self._forgiven(search_from_query(self.parameters())) if self.query else SearchRequest()

    def search_in_body(self) -> SearchRequest:
        """Return the search parameters in the body of a POST to /.search. Raises ScimError."""
        return self._forgiven(search_from_body(self.json()))

    def _forgiven(self, search: SearchRequest) -> SearchRequest:
        right, applied = normalize_search(search, self.tenant.profile)
        self.tolerances += applied
        return right

    def json(self, *, max_bytes: int = MAX_BODY_BYTES) -> Any:
        """Return the parsed body. Raises ScimError if there is no body, or if the JSON is invalid or too large. Also raises it for a
        string that contains NUL, and for a name that is too long.
        """
        if not self.body:
            raise invalid_syntax("The request has no body: send JSON.")
        value = read_json(self.body, max_bytes=max_bytes)
        if b"\\u0000" in self.body:
            refuse_nul(value)
        if len(self.body) > MAX_NAME:
            check_keys(value)
        return value


def refuse_nul(value: Any) -> None:
    """Raise ScimError if a string in *value* contains NUL, which PostgreSQL cannot store."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "\x00" in item:
                raise invalid_value("A string contains the character NUL (\\u0000), which cannot be stored.")
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item


@dataclass(frozen=True)
class ResourcePlace:
    """The endpoint of one resource type: the type's definition, and the path below the base URL."""

    definition: ResourceDefinition

    @cached_property
    def kind(self) -> str:
        return self.definition.type.name

    @cached_property
    def endpoint(self) -> str:
        return self.definition.type.endpoint


def etag_of(version: int) -> str:
    """Return a strong entity tag (RFC 9110, section 8.8.3)."""
    return f'"{version}"'


def check_conditions(conditions: Conditions, version: int) -> None:
    """Raise ScimError 412 unless *conditions* allow a change of *version*. A weak tag is compared like a strong one."""
    if is_unchanged(conditions.if_none_match, version):
        raise ScimError(412, "", f"The resource has the version {etag_of(version)}, which If-None-Match excludes.")
    condition = conditions.if_match
    if condition not in ("", "*") and etag_of(version) not in _tags(condition):
        raise ScimError(
            412, "", f"The resource has changed: its version is now {etag_of(version)}. Read it again, then try again."
        )


def check_reading(conditions: Conditions, version: int) -> None:
    """Raise ScimError 412 if the If-Match header of a read does not match *version*."""
    if conditions.if_match:
        check_conditions(Conditions(if_match=conditions.if_match), version)


def is_unchanged(condition: str, version: int) -> bool:
    """Whether *condition*, an If-None-Match header, matches *version*."""
    return bool(condition) and (condition == "*" or etag_of(version) in _tags(condition))


def _tags(condition: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in condition.split(",")]
