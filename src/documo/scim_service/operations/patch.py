"""PATCH: modify a resource; all operations apply or none (RFC 7644, section 3.5.2)."""

from __future__ import annotations

from typing import Any

import orjson

from documo.scim_service.request.exchange import Request, ResourcePlace, ScimAnswer, etag_of
from documo.scim_service.request.incoming import take_password
from documo.scim_service.request.render import one_answer
from documo.scim_service.tenant.service import Service
from documo.scim_service.tenant.tenants import ScimTenant
from documo.scim_service.writes.account_rules import refuse_bad_name, refuse_change_of_role
from documo.scim_service.writes.derive import columns_of
from documo.scim_service.writes.resource_change import ChangeDecision, ChangedResource, ResourceChange
from documo.search_document import ELSEWHERE
from documo.store.resources import LockedResource
from lockstep.scim.members import split_member_operations
from lockstep.scim.normalize import normalize_patch
from lockstep.scim.patch import apply_patch


async def patch(service: Service, request: Request, place: ResourcePlace, resource_id: str) -> ScimAnswer:
    """Apply the operations in the body. Returns 200 with the resource, or 204 without a body.

    The response is 204 if the resource is a large group, or if the account's settings ask for it. A request that selects attributes always
    gets 200.
    """
    search = request.search()
    changed = await patch_resource(service, request, place, resource_id, request.json())
    chosen = search.attributes or search.excluded
    is_large = place.kind == "Group" and changed.members is None
    if not chosen and (is_large or _answers_nothing(request.tenant)):
        return ScimAnswer(204, etag=etag_of(changed.row.version))
    return await one_answer(service.store, request, changed.row, place, search, members=changed.members)


def _answers_nothing(tenant: ScimTenant) -> bool:
    """Whether the account prefers status 204 to 200 as the response to PATCH. RFC 7644 allows both.

    If the account's setting leaves the choice to the profile, only the profile of Entra prefers 204, like Entra's reference code.
    """
    wanted = tenant.account.patch_answer
    return wanted == "nothing" or (wanted == "profile" and tenant.profile.name == "entra")


async def patch_resource(
    service: Service, request: Request, place: ResourcePlace, resource_id: str, body: Any
) -> ChangedResource:
    """Apply the operations of *body*. If this raises ScimError, nothing has changed."""
    tenant, definition = request.tenant, place.definition
    operations, applied = normalize_patch(body, tenant.profile, definition)
    request.tolerances += applied
    members, rest = split_member_operations(operations) if place.kind == "Group" else ([], operations)

    def decide(stored: LockedResource) -> ChangeDecision:
        before = orjson.loads(stored.document)
        refuse_change_of_role(place, before, tenant)
        result = apply_patch(before, rest, definition, unknown=tenant.profile.unknown)
        document = result.resource
        password = take_password(document) if place.kind == "User" else None
        if not result.changed and password is None:
            return ChangeDecision()
        refuse_bad_name(place, document, before)
        searched = any(name.partition(".")[0] not in ELSEWHERE for name in result.touched)
        columns = columns_of(document, definition, tenant, with_search=searched)
        if "active" not in document:
            # Only true or false may change whether a member can sign in. Removing the attribute changes nothing.
            columns = columns._replace(active=stored.active)
        return ChangeDecision(document, columns, password)

    change = ResourceChange(
        tenant, place.kind, resource_id, decide, tuple(members), request.conditions, request.tolerances, len(rest) or 1,
        request.caller.principal.lasting_key,
    )  # fmt: skip
    return await service.changes.ask(tenant.id, change)
