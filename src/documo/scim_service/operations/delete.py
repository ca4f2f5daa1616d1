"""DELETE: clients no longer see the resource, but it is kept for the account's undelete window (RFC 7644, section 3.6).

If the account's deprovision action is *deactivate*, a user stays on Documo's pages as a deactivated user, without a time limit.
"""

from __future__ import annotations

import orjson

from documo.scim_service.request.exchange import Request, ResourcePlace, ScimAnswer, check_conditions
from documo.scim_service.tenant.service import Service
from documo.scim_service.writes.account_rules import Admins, refuse_change_of_role
from documo.store import resources
from documo.store.actors import key_actor
from documo.store.resources import LockedResource
from documo.store.round_trip import open_transaction
from lockstep.scim.errors import not_found


async def delete(service: Service, request: Request, place: ResourcePlace, resource_id: str) -> ScimAnswer:
    """Delete a resource with its memberships and keys. Returns 204 without a body."""
    tenant = request.tenant
    actor = key_actor({resource_id: request.caller.principal.lasting_key})
    async with open_transaction(service.store, tenant.id, actor=actor) as transaction:
        (rows,) = await transaction.send(resources.lock(tenant.id, [resource_id]))
        stored = LockedResource(*rows[0]) if rows else None
        if stored is None or stored.kind != place.kind:
            raise not_found(f"There is no {place.kind} {resource_id[:100]!r}.")
        check_conditions(request.conditions, stored.version)
        document = orjson.loads(stored.document)
        refuse_change_of_role(place, document, tenant)
        if place.kind == "User":
            admins, name = Admins(tenant, transaction), str(document.get("userName"))
            was_admin = admins.is_one(stored.role, active=stored.active)
            await admins.change(before=was_admin, after=False, name=name, path="")
        is_kept = place.kind == "User" and tenant.account.deprovision_action == "deactivate"
        statements = resources.soft_delete(tenant.id, stored.id, stored.kind, is_kept=is_kept)
        if place.kind == "Role":
            statements.append(resources.tell(tenant.id))
        await transaction.send(*statements, commit=True)
    return ScimAnswer(204)
