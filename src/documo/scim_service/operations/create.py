"""POST: create a resource (RFC 7644, section 3.3)."""

from __future__ import annotations

from typing import Any

from documo.access.member_passwords import hash_password
from documo.identifiers import read_id
from documo.scim_service.request.exchange import Request, ResourcePlace, ScimAnswer
from documo.scim_service.request.incoming import read_resource
from documo.scim_service.request.render import one_answer
from documo.scim_service.tenant.service import Service
from documo.scim_service.writes.account_rules import refuse_bad_name
from documo.scim_service.writes.create_batch import Creation
from documo.scim_service.writes.derive import columns_of
from documo.scim_service.writes.member_check import checked_members, refuse_unknown_members
from documo.store.resources import ResourceRow
from documo.tenant_schemas import unique_attribute
from lockstep.scim.errors import invalid_value


async def create(service: Service, request: Request, place: ResourcePlace) -> ScimAnswer:
    """Create the resource in the body. Returns 201 with the resource, once it is durable."""
    search = request.search()
    row, members = await create_resource(service, request, place, request.json(), resource_id=request.resource_id)
    return await one_answer(service.store, request, row, place, search, status=201, members=members)


async def create_resource(
    service: Service, request: Request, place: ResourcePlace, body: Any, *, resource_id: str = ""
) -> tuple[ResourceRow, list[tuple[str, str]] | None]:
    """Create the resource in *body*, with *resource_id* if a bulk request has chosen one. Raises ScimError.

    Returns the resource with the (id, kind) pairs of its members, or with None if it is not a group.
    """
    tenant, incoming = request.tenant, read_resource(request, place, body)
    refuse_bad_name(place, incoming.document)
    wanted = incoming.members or ()
    if wanted:
        await refuse_unknown_members(service.store, tenant, wanted)
    member_ids = tuple(found for member in wanted if (found := read_id(member.value)))
    if resource_id and resource_id in member_ids:
        raise invalid_value("A group cannot be a member of itself.", "members.value")
    unique = unique_attribute(place.definition)
    creation = Creation(
        tenant,
        place.kind,
        incoming.document,
        columns_of(incoming.document, place.definition, tenant),
        unique.name if unique else "",
        await hash_password(incoming.password),
        resource_id,
        member_ids,
        request.caller.principal.lasting_key,
    )
    made = await service.creates.ask((tenant.id, place.kind), creation)
    if place.kind != "Group":
        return made.row, None
    return made.row, checked_members(wanted, made.kinds, tenant, tolerances=request.tolerances)
