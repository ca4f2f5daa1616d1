"""Roles of an account, as administrators manage them. In SCIM they are resources of type Role."""

from __future__ import annotations

from typing import Any

import psycopg

from documo.members import ADMIN, TenantFacts, known_role
from documo.store import accounts as accounts_table
from documo.store import roles as table
from documo.store.database import Store
from lockstep.errors import conflict, invalid
from lockstep.wording import counted


async def list_roles(store: Store, tenant: TenantFacts) -> list[dict[str, Any]]:
    """Return the roles in order of creation, each with the number of members who have it."""
    async with store.tenant(tenant.id) as connection:
        rows = await table.rows(connection, tenant.id, tenant.default_role)
    return [{**row, "is_default": row["value"] == tenant.default_role} for row in rows]


async def add_role(store: Store, tenant: TenantFacts, value: str, *, display: str = "") -> None:
    """Add a role. Raises LockstepError for a value that is empty, too long or, ignoring case, already taken."""
    if not value.strip() or len(value) > 200 or not value.isprintable() or value != value.strip():
        raise invalid("A role needs a value of at most 200 characters, without leading or trailing spaces")
    try:
        async with store.tenant(tenant.id) as connection:
            taken = [known for known, _ in await accounts_table.role_rows(connection, tenant.id)]
            if value.casefold() in (known.casefold() for known in taken):
                raise conflict(f"The role {value} already exists", next_step="documo roles list")
            await accounts_table.insert_roles(connection, tenant.id, [(value, display or value)])
            await table.tell(connection, tenant.id)
    except psycopg.errors.UniqueViolation:
        raise conflict(f"The role {value} already exists", next_step="documo roles list") from None


async def remove_role(store: Store, tenant: TenantFacts, value: str) -> None:
    """Remove a role that no member has. Raises LockstepError for Admin, the default role and a role that is in use."""
    async with store.tenant(tenant.id) as connection:
        known = await known_role(connection, tenant.id, value)
        if known in (ADMIN, tenant.default_role):
            raise conflict(
                f"{known} cannot be removed: it is {'the role that may provision' if known == ADMIN else 'the default role'}",
                next_step=""
                if known == ADMIN
                else "Choose another default role: documo accounts set NAME --default-role ROLE",
            )
        (row,) = [row for row in await table.rows(connection, tenant.id, tenant.default_role) if row["value"] == known]
        if row["members"]:
            raise conflict(
                f"{counted(row['members'], 'member')} still {'has' if row['members'] == 1 else 'have'} the role {known}",
                next_step="First change the role of each member: documo members set-role MEMBER ROLE",
            )
        await table.remove(connection, tenant.id, known)
        await table.tell(connection, tenant.id)
