"""Check whether the members that a client names exist, and refuse unknown members before the group is created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from documo.identifiers import read_id
from documo.scim_service.tenant.tenants import ScimTenant
from documo.store import group_members
from documo.store.database import Store
from documo.store.round_trip import one_trip
from lockstep.scim.errors import invalid_value
from lockstep.scim.members import Member

UNKNOWN_MEMBERS = "unknown_members_left_out"


async def refuse_unknown_members(store: Store, tenant: ScimTenant, members: Sequence[Member]) -> None:
    """For a tenant with the strict profile, raise ScimError("invalidValue") if a member is not one of its users or groups."""
    if tenant.profile.tolerances:
        return
    ids = [found for member in members if (found := read_id(member.value))]
    (rows,) = await one_trip(store, tenant.id, [group_members.known_members(tenant.id, ids)])
    checked_members(members, dict(rows), tenant, tolerances=[])


def checked_members(
    members: Sequence[Member],
    kinds: Mapping[str, str],
    tenant: ScimTenant,
    *,
    tolerances: list[str],
    group_id: str = "",
) -> list[tuple[str, str]]:
    """Return the (id, kind) pairs of the members that exist. Raises ScimError("invalidValue") if the group *group_id* is among its own
    members.

    An unknown member is left out and recorded in *tolerances*. Clients send memberships and deletions in any order, and one deleted member
    must not keep a hundred others out. Under the strict profile, an unknown member is refused with ScimError("invalidValue").
    """
    pairs = []
    for member in members:
        member_id = read_id(member.value) or ""
        kind = kinds.get(member_id)
        if member_id == group_id and group_id:
            raise invalid_value("A group cannot be a member of itself.", "members.value")
        if kind is not None:
            pairs.append((member_id, kind))
        elif not tenant.profile.tolerances:
            raise invalid_value(
                f"The member {member.value[:100]!r} is not a known user or group. Create it first.", "members.value"
            )
        elif UNKNOWN_MEMBERS not in tolerances:
            tolerances.append(UNKNOWN_MEMBERS)
    return pairs
