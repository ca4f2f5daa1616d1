"""Build SCIM requests (RFC 7644). Pure.

A value in a filter is a JSON string, percent-encoded in the URL: quotes or ampersands in a name must never end the filter early.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import orjson

from lockstep.engine.records import Change, ObjectKind, Values
from lockstep.engine.rules.secrecy import names_a_secret
from lockstep.scim import patch_build
from lockstep.scim.operations import patch_body
from lockstep.scim.patch_build import CLEAR, AddedValues, Mode
from lockstep.scim.paths import parse_path
from lockstep.scim.registry import ResourceDefinition, default_registry
from lockstep.scim.replacement import replaced, with_members
from lockstep.scim.tokens import quote as json_quote
from lockstep.targets.redaction import strings_in

PAGE_SIZE = 200
ENTRA_FLAG = "aadoptscim062020"
ENTRA_FLAG_OFF = "azureadscimpatch2017"


class RequestPurpose(StrEnum):
    """The purpose of a request, which decides how its response is interpreted."""

    FIND = "find"
    GET = "get"
    PAGE = "page"
    CREATE = "create"
    UPDATE = "update"
    MEMBERS = "members"
    DELETE = "delete"
    BULK = "bulk"
    CONFIGURATION = "configuration"

    @property
    def is_read(self) -> bool:
        reads = (RequestPurpose.FIND, RequestPurpose.GET, RequestPurpose.PAGE, RequestPurpose.CONFIGURATION)
        return self in reads

    @property
    def names_a_resource(self) -> bool:
        """Whether a successful response contains one resource with its id."""
        others = (RequestPurpose.FIND, RequestPurpose.PAGE, RequestPurpose.BULK, RequestPurpose.CONFIGURATION)
        return self not in others


@dataclass(frozen=True, slots=True)
class ScimRequest:
    """One request without host and credentials. *path* begins with a slash and includes the query string."""

    call: RequestPurpose
    kind: ObjectKind
    method: str
    path: str
    body: bytes | None = None
    target_id: str = ""
    etag: str = ""
    hidden: tuple[str, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether the request only reads. This is true for a GET, and for a search by POST (RFC 7644, section 3.4.3)."""
        return self.method == "GET" or (self.method == "POST" and self.path.partition("?")[0].endswith("/.search"))


@dataclass(frozen=True, slots=True)
class TenantUrlParts:
    """The parts of a tenant URL. *flags* is its query string, which is added to the URL of every request."""

    base: str
    flags: str
    mode: Mode

    def at(self, path: str) -> str:
        """Return the complete URL of a request path."""
        if not self.flags:
            return self.base + path
        return f"{self.base}{path}{'&' if '?' in path else '?'}{self.flags}"


def read_tenant_url(text: str) -> TenantUrlParts:
    """Parse a tenant URL. Trailing slashes are ignored. The feature flags in its query string select Entra's dialect."""
    parts = urlsplit(text.strip())
    flags = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    mode: Mode = "rfc"
    if ENTRA_FLAG in flags:
        mode = "entra-flag"
    elif ENTRA_FLAG_OFF in flags:
        mode = "entra"
    return TenantUrlParts(f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", parts.query, mode)


def find_request(kind: ObjectKind, attribute: str, value: str) -> ScimRequest:
    """Build a search for the accounts whose *attribute* equals *value*. The members of a group are not requested."""
    query = _query(filter=f"{attribute} eq {json_quote(value)}", **_without_members(kind))
    return ScimRequest(RequestPurpose.FIND, kind, "GET", f"{_collection(kind)}?{query}")


def get_request(kind: ObjectKind, target_id: str) -> ScimRequest:
    """Build a read of one account by its id. The members of a group are not requested."""
    return ScimRequest(RequestPurpose.GET, kind, "GET", _one(kind, target_id) + _suffix(kind), target_id=target_id)


def page_request(kind: ObjectKind, *, start_index: int, count: int = PAGE_SIZE) -> ScimRequest:
    """Build a read of one page of all accounts, from the 1-based *start_index*."""
    query = _query(startIndex=str(start_index), count=str(count), **_without_members(kind))
    return ScimRequest(RequestPurpose.PAGE, kind, "GET", f"{_collection(kind)}?{query}")


def create_request(kind: ObjectKind, values: Values, *, redacted_paths: Collection[str] = frozenset()) -> ScimRequest:
    """Build the request that creates an account. *values* are keyed by target path; a value of None leaves its attribute out. The values at
    *redacted_paths*, and at paths that name a secret, are hidden in records.
    """
    secret = (path for path in values if path in redacted_paths or names_a_secret(path))
    hidden = [text for path in secret for text in strings_in(values[path])]
    resource = patch_build.to_resource(_plain(values), definition_of(kind))
    return ScimRequest(
        RequestPurpose.CREATE, kind, "POST", _collection(kind), orjson.dumps(resource), hidden=tuple(hidden)
    )


def update_request(
    kind: ObjectKind,
    target_id: str,
    changes: Sequence[Change],
    *,
    current: Mapping[str, Any] | None,
    mode: Mode = "rfc",
    etag: str = "",
    hidden: Sequence[str] = (),
    bare_manager: bool = False,
) -> ScimRequest | None:
    """Build a PATCH that sends only *changes* (RFC 7644, 3.5.2). Return None if there is nothing to send.

    In the rfc dialect, *current* decides whether the value at a filtered path is replaced or added. *bare_manager* sends a
    manager as the bare id, as Microsoft Entra does, instead of {"value": id}.
    """
    wanted = {change.path: _wanted(change) for change in changes}
    operations = patch_build.patch_operations(wanted, current, mode, definition=definition_of(kind))
    if bare_manager:
        operations = [_with_bare_manager(one) for one in operations]
    if not operations:
        return None
    body = orjson.dumps(patch_body(operations))
    return ScimRequest(
        RequestPurpose.UPDATE, kind, "PATCH", _one(kind, target_id), body, target_id, etag, tuple(hidden)
    )


def _with_bare_manager(operation: Mapping[str, Any]) -> dict[str, Any]:
    value = operation.get("value")
    is_manager = str(operation.get("path")).rpartition(":")[2].casefold() == "manager"
    if not is_manager or not isinstance(value, Mapping) or set(value) != {"value"}:
        return dict(operation)
    return {**operation, "value": value["value"]}


def _wanted(change: Change) -> Any:
    if change.new is None:
        return CLEAR
    return AddedValues(_plain(change.added)) if change.added else _plain(change.new)


def needs_current(changes: Sequence[Change], mode: Mode) -> bool:
    """Whether the account's current state is needed to build a request for *changes*."""
    return mode == "rfc" and any(parse_path(change.path, lenient=True).filter is not None for change in changes)


def whole_request(kind: ObjectKind, target_id: str) -> ScimRequest:
    """Build a read of a complete resource, including the members of a group, so that it can be changed and sent back."""
    return ScimRequest(RequestPurpose.GET, kind, "GET", _one(kind, target_id), target_id=target_id)


def put_request(
    kind: ObjectKind,
    target_id: str,
    changes: Sequence[Change],
    *,
    current: Mapping[str, Any],
    etag: str = "",
    hidden: Sequence[str] = (),
) -> ScimRequest:
    """Build a PUT of the complete resource: *current* with *changes* applied (RFC 7644, 3.5.1). It is for applications that do not support
    PATCH.
    """
    wanted = {change.path: _wanted(change) for change in changes}
    body = orjson.dumps(replaced(current, wanted, definition_of(kind)))
    return ScimRequest(RequestPurpose.UPDATE, kind, "PUT", _one(kind, target_id), body, target_id, etag, tuple(hidden))


def put_members_request(
    group_id: str, *, add: Sequence[str], remove: Sequence[str], current: Mapping[str, Any], etag: str = ""
) -> ScimRequest:
    """Build a PUT of the complete group, for applications that do not support PATCH. The list of members is always included, even if it is
    empty.
    """
    body = orjson.dumps(with_members(current, add=add, remove=remove))
    kind = ObjectKind.GROUP
    return ScimRequest(RequestPurpose.MEMBERS, kind, "PUT", _one(kind, group_id), body, group_id, etag)


def delete_request(kind: ObjectKind, target_id: str, *, etag: str = "") -> ScimRequest:
    """Build the request that deletes one account."""
    return ScimRequest(RequestPurpose.DELETE, kind, "DELETE", _one(kind, target_id), target_id=target_id, etag=etag)


def members_request(group_id: str, *, add: Sequence[str], remove: Sequence[str], mode: Mode = "rfc") -> ScimRequest:
    """Build one PATCH that adds and removes members of a group.

    The URL of a write never contains `excludedAttributes`, because some servers remove the excluded attributes from the received body and
    then store the rest of it.
    """
    bodies = patch_build.member_operations(add, remove, mode, chunk=max(1, len(add), len(remove)))
    body = orjson.dumps(patch_body([operation for one in bodies for operation in one["Operations"]]))
    return ScimRequest(
        RequestPurpose.MEMBERS, ObjectKind.GROUP, "PATCH", _one(ObjectKind.GROUP, group_id), body, target_id=group_id
    )


def read_members_request(group_id: str) -> ScimRequest:
    """Build a read of the members of one group."""
    path = f"{_one(ObjectKind.GROUP, group_id)}?attributes=members"
    return ScimRequest(RequestPurpose.GET, ObjectKind.GROUP, "GET", path, target_id=group_id)


def definition_of(kind: ObjectKind) -> ResourceDefinition:
    """The resource definition of RFC 7643 for *kind*."""
    return default_registry().resource(kind.value)


def values_at(resource: Mapping[str, Any], attribute: str) -> Iterator[str]:
    """Yield every value of *attribute* in *resource* as text. For a multi-valued attribute, each of its values is one string."""
    path = parse_path(attribute, lenient=True)
    found = patch_build.read_path(resource, attribute)
    if found is not patch_build.MISSING:
        yield str(found)
    if path.filter is not None:
        return
    container: Any = resource
    if path.schema:
        named = {name.lower(): value for name, value in resource.items()}
        container = named.get(path.schema.lower(), resource)
    if not isinstance(container, Mapping):
        return
    listed = next((value for name, value in container.items() if name.lower() == path.attribute.lower()), None)
    sub = (path.sub or "value").lower()
    for element in listed if isinstance(listed, list) else ():
        if isinstance(element, Mapping):
            yield from (str(value) for name, value in element.items() if name.lower() == sub and value is not None)
        else:
            yield str(element)


def _plain(value: Any) -> Any:
    """Convert *value* to JSON types: tuples become lists and mappings become dicts."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _collection(kind: ObjectKind) -> str:
    return "/Groups" if kind is ObjectKind.GROUP else "/Users"


def _one(kind: ObjectKind, target_id: str) -> str:
    # A dot segment would be normalised away and address another resource.
    safe = quote(target_id, safe="")
    return f"{_collection(kind)}/{safe.replace('.', '%2E') if safe in ('.', '..') else safe}"


def _suffix(kind: ObjectKind) -> str:
    return "?excludedAttributes=members" if kind is ObjectKind.GROUP else ""


def _without_members(kind: ObjectKind) -> dict[str, str]:
    return {"excludedAttributes": "members"} if kind is ObjectKind.GROUP else {}


def _query(**parameters: str) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
