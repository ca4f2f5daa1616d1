"""PUT: replace a resource (RFC 7644, section 3.5.1). A body without `members` keeps a group's members, except under the strict profile."""

from __future__ import annotations

from typing import Any

import orjson

from documo.scim_service.request.exchange import Request, ResourcePlace, ScimAnswer
from documo.scim_service.request.incoming import read_resource
from documo.scim_service.request.render import one_answer
from documo.scim_service.tenant.service import Service
from documo.scim_service.writes.account_rules import refuse_bad_name, refuse_change_of_role
from documo.scim_service.writes.derive import columns_of
from documo.scim_service.writes.resource_change import ChangeDecision, ResourceChange
from documo.store.resources import LockedResource, ResourceRow
from lockstep.scim.members import MemberChange, RemoveAllMembers, ReplaceMembers


async def replace(service: Service, request: Request, place: ResourcePlace, resource_id: str) -> ScimAnswer:
    """Replace the resource with the body. Returns 200 with the result."""
    search = request.search()
    row = await replace_resource(service, request, place, resource_id, request.json())
    return await one_answer(service.store, request, row, place, search)


async def replace_resource(
    service: Service, request: Request, place: ResourcePlace, resource_id: str, body: Any
) -> ResourceRow:
    """Replace the resource with *body*. Raises ScimError."""
    tenant, definition = request.tenant, place.definition
    # Read the resource once before it is locked, to refuse an invalid body and to know its members.
    early = read_resource(request, place, body)
    noted = len(request.tolerances)

    def decide(stored: LockedResource) -> ChangeDecision:
        before = orjson.loads(stored.document)
        refuse_change_of_role(place, before, tenant)
        # A member whose `active` was removed stays as active as before: see `patch`.
        known = {"active": stored.active, **before} if place.kind == "User" else before
        incoming = read_resource(request, place, body, stored=known)
        del request.tolerances[noted:]
        if incoming.document == before and incoming.password is None:
            return ChangeDecision()
        refuse_bad_name(place, incoming.document, before)
        return ChangeDecision(incoming.document, columns_of(incoming.document, definition, tenant), incoming.password)

    members: tuple[MemberChange, ...] = ()
    if early.members is not None:
        members = (ReplaceMembers(early.members) if early.members else RemoveAllMembers(),)
    elif place.kind == "Group" and tenant.profile.name == "strict":
        members = (RemoveAllMembers(),)
    change = ResourceChange(
        tenant, place.kind, resource_id, decide, members, request.conditions, request.tolerances,
        key=request.caller.principal.lasting_key,
    )  # fmt: skip
    return (await service.changes.ask(tenant.id, change)).row
