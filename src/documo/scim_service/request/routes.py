"""Route a request: find the operation, check that the key may run it, and run it."""

from __future__ import annotations

from collections.abc import Sequence

from documo.access import scopes
from documo.identifiers import read_id
from documo.members import ADMIN
from documo.scim_service.operations import bulk
from documo.scim_service.operations.create import create
from documo.scim_service.operations.delete import delete
from documo.scim_service.operations.patch import patch
from documo.scim_service.operations.read import read
from documo.scim_service.operations.replace import replace
from documo.scim_service.request import discovery
from documo.scim_service.request.exchange import MethodNotAllowed, Request, ResourcePlace, ScimAnswer
from documo.scim_service.search.query import list_resources, search_resources
from documo.scim_service.tenant.service import Service
from lockstep.scim.errors import ScimError, not_found
from lockstep.scim.normalize import definition_at, media_type_is_accepted

_ON_RESOURCE = {"GET": read, "PUT": replace, "PATCH": patch, "DELETE": delete}
_PEOPLE_AND_GROUPS = {"User": scopes.USERS, "Group": scopes.GROUPS}

_OWN_NAMES = {"me": "Me", "bulk": "Bulk"}


async def dispatch(service: Service, request: Request, segments: Sequence[str]) -> ScimAnswer:
    """Return the response to a request. *segments* are the parts of its path below the base URL. Raises ScimError."""
    require_admin(request)
    if request.method in ("POST", "PUT", "PATCH"):
        _check_media_type(request)
    first, rest = segments[0] if segments else "", list(segments[1:])
    if discovery.is_discovery(first):
        return discovery.describe(request, list(segments))
    if request.tenant.profile.allows("lower_case_endpoint"):
        first = _OWN_NAMES.get(first.lower(), first)
    if first == "Me":
        return await _me(service, request, rest)
    if first == "Bulk" and not rest:
        _only(request, "POST")
        return await bulk.run_bulk(service, request, _at_segments)
    if first in ("", ".search") and not rest:
        return await _everywhere(service, request, first)
    return await at_place(service, request, _place(request, segments), rest)


async def _at_segments(service: Service, request: Request, segments: Sequence[str]) -> ScimAnswer:
    """Return the response to one operation of a bulk request. The operation may concern only resources; it cannot be a search or another
    bulk request.
    """
    return await at_place(service, request, _place(request, segments), list(segments[1:]))


def _place(request: Request, segments: Sequence[str]) -> ResourcePlace:
    definition = definition_at(segments[0], request.tenant.profile, request.tenant.registry)
    if definition is None:
        raise not_found(f"There is nothing at /{'/'.join(segments)[:200]}; GET /ResourceTypes lists the endpoints.")
    return ResourcePlace(definition)


async def at_place(service: Service, request: Request, place: ResourcePlace, rest: Sequence[str]) -> ScimAnswer:
    """Return the response to a request for the endpoint of a resource type, or for a resource below that endpoint."""
    answer = await _answer_at(service, request, place, rest)
    if place.kind == "Role" and request.method != "GET":
        # The database notifies other processes; this one must know before its next request.
        service.forget()
    return answer


async def _answer_at(service: Service, request: Request, place: ResourcePlace, rest: Sequence[str]) -> ScimAnswer:
    if not rest:
        if request.method == "POST":
            require_scope(request, place.kind, write=True)
            return await create(service, request, place)
        _only(request, "GET", "POST")
        require_scope(request, place.kind, write=False)
        return await list_resources(service, request, [place])
    if list(rest) == [".search"]:
        _only(request, "POST")
        require_scope(request, place.kind, write=False)
        return await search_resources(service, request, [place])
    _only(request, *_ON_RESOURCE)
    require_scope(request, place.kind, write=request.method != "GET")
    resource_id = read_id(rest[0]) if len(rest) == 1 else None
    if resource_id is None:
        raise not_found(f"There is no {place.kind} {'/'.join(rest)[:100]!r}.")
    return await _ON_RESOURCE[request.method](service, request, place, resource_id)


def require_admin(request: Request) -> None:
    """Raise ScimError 403 unless the owner of the key is an Admin."""
    if request.caller.principal.role != ADMIN:
        raise ScimError(
            403,
            "",
            f"This API key belongs to a member with the role {request.caller.principal.role}; only an Admin's key may provision.",
        )


def require_scope(request: Request, kind: str, *, write: bool) -> None:
    """Raise ScimError 403 unless the key's scopes permit the caller to read resources of *kind* or, with *write*, to change them."""
    held = request.caller.principal.scopes
    needed = _PEOPLE_AND_GROUPS.get(kind, scopes.ADMIN)
    if scopes.ADMIN in held or needed in held or (not write and scopes.READ in held):
        return
    raise ScimError(403, "", f"This API key lacks the scope {needed if write else scopes.READ}.")


async def _me(service: Service, request: Request, rest: Sequence[str]) -> ScimAnswer:
    if rest:
        raise not_found("There is nothing below /Me.")
    _only(request, *_ON_RESOURCE)
    require_scope(request, "User", write=request.method != "GET")
    place = ResourcePlace(request.tenant.registry.resource("User"))
    return await _ON_RESOURCE[request.method](service, request, place, request.caller.principal.member_id)


async def _everywhere(service: Service, request: Request, first: str) -> ScimAnswer:
    _only(request, "POST" if first else "GET")
    places = [ResourcePlace(definition) for definition in request.tenant.registry.definitions()]
    for place in places:
        require_scope(request, place.kind, write=False)
    return await (search_resources if first else list_resources)(service, request, places)


def _only(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise MethodNotAllowed(request.method, methods)


def _check_media_type(request: Request) -> None:
    content_type = request.headers.get(b"content-type", b"").decode("latin-1")
    if content_type and not media_type_is_accepted(content_type, request.tenant.profile):
        raise ScimError(415, "", f"The media type {content_type[:100]} is not supported: send application/scim+json.")
    if not content_type and not request.tenant.profile.tolerances:
        raise ScimError(415, "", "The request has no media type: send Content-Type: application/scim+json.")
