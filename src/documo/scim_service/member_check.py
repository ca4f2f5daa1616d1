"""Refuse a group whose members do not exist before anything of it is made."""

from __future__ import annotations

from collections.abc import Sequence

from documo.identifiers import read_id
from documo.scim_service.change_batch import checked_members
from documo.scim_service.tenants import Tenant
from documo.store import group_members
from documo.store.database import Store
from documo.store.round_trip import one_trip
from lockstep.scim.members import Member


async def refuse_unknown_members(store: Store, tenant: Tenant, members: Sequence[Member]) -> None:
    """Raise ScimError("invalidValue") for a member who is no user or group of a strict tenant."""
    if tenant.profile.tolerances:
        return
    ids = [found for member in members if (found := read_id(member.value))]
    (rows,) = await one_trip(store, tenant.id, [group_members.known_members(tenant.id, ids)])
    checked_members(members, dict(rows), tenant, tolerances=[])
