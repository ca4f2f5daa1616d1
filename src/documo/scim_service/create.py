"""POST: make a resource (RFC 7644, section 3.3)."""

from __future__ import annotations

from typing import Any

import orjson

from documo.scim_service.change_batch import Change, Decision
from documo.scim_service.create_batch import Creation
from documo.scim_service.derive import columns_of, unique_attribute
from documo.scim_service.exchange import Answer, Place, Request
from documo.scim_service.incoming import hash_password, read_resource
from documo.scim_service.member_check import refuse_unknown_members
from documo.scim_service.render import one_answer
from documo.scim_service.service import Service
from documo.store.resources import Row, Stored
from lockstep.scim.members import AddMembers
from lockstep.scim.messages import SearchRequest, search_from_query


async def create(service: Service, request: Request, place: Place) -> Answer:
    """Make the resource in the body; 201 with it, when it is durable."""
    search = search_from_query(request.parameters()) if request.query else SearchRequest()
    row = await create_resource(service, request, place, request.json(), resource_id=request.resource_id)
    return await one_answer(service.store, request, row, place, search, status=201)


async def create_resource(service: Service, request: Request, place: Place, body: Any, *, resource_id: str = "") -> Row:
    """Make the resource in *body*, under *resource_id* where that was chosen before. Raises ScimError."""
    incoming = read_resource(request, place, body)
    if incoming.members:
        await refuse_unknown_members(service.store, request.tenant, incoming.members)
    unique = unique_attribute(place.definition)
    creation = Creation(
        request.tenant,
        place.kind,
        incoming.document,
        columns_of(incoming.document, place.definition, request.tenant),
        unique.name if unique else "",
        await hash_password(incoming.password),
        resource_id,
    )
    row = await service.creates.ask((request.tenant.id, place.kind), creation)
    if not incoming.members:
        return row

    def touch(stored: Stored) -> Decision:
        document = orjson.loads(stored.document)
        return Decision(document, columns_of(document, place.definition, request.tenant, with_search=False))

    change = Change(
        request.tenant, place.kind, row.id, touch, (AddMembers(incoming.members),), tolerances=request.tolerances
    )
    return (await service.changes.ask(request.tenant.id, change)).row
