"""Refuse a group whose members do not exist before anything of it is made."""

from __future__ import annotations

from collections.abc import Sequence

from documo.identifiers import read_id
from documo.scim_service.change_batch import checked_members
from documo.store import group_members
from documo.store.database import Store
from documo.store.round_trip import one_trip
from lockstep.scim.members import Member


async def refuse_unknown_members(store: Store, tenant_id: int, members: Sequence[Member]) -> None:
    """Raise ScimError("invalidValue") that names the first member who is no user or group of the tenant."""
    ids = [found for member in members if (found := read_id(member.value))]
    (rows,) = await one_trip(store, tenant_id, [group_members.known_members(tenant_id, ids)])
    checked_members(members, dict(rows))
