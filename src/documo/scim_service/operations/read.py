"""GET of one resource (RFC 7644, section 3.4.1)."""

from __future__ import annotations

from documo.scim_service.request.exchange import (
    Request,
    ResourcePlace,
    ScimAnswer,
    check_reading,
    etag_of,
    is_unchanged,
)
from documo.scim_service.request.render import one_answer
from documo.scim_service.tenant.service import Service
from lockstep.scim.errors import not_found


async def read(service: Service, request: Request, place: ResourcePlace, resource_id: str) -> ScimAnswer:
    """Return the resource, or status 304 if the client already has this version. For a 304, the members are not read."""
    row = await service.by_id.ask(request.tenant.id, resource_id)
    if row is None or row.kind != place.kind:
        raise not_found(f"There is no {place.kind} {resource_id[:100]!r}.")
    check_reading(request.conditions, row.version)
    if is_unchanged(request.conditions.if_none_match, row.version):
        return ScimAnswer(304, etag=etag_of(row.version))
    search = request.search()
    return await one_answer(service.store, request, row, place, search)
