"""Find administrators who have a permission that the caller lacks, so that a refusal can name somebody to ask."""

from __future__ import annotations

from lockstep.actions.access import needs
from lockstep.actions.callers import actor_of
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.storage import administrators as store

MOST_NAMED = 3


@needs(Permission.DIRECTORY_READ)
async def who_may(context: Context, permission: str, of: str = "") -> list[str]:
    """Return up to three administrators who have *permission* everywhere, or for the application whose id is *of*. The administrators with
    the fewest permissions come first.
    """
    async with context.reading() as connection:
        rows = [row for row in await store.list_administrators(connection) if row.is_enabled]
        grants = await store.grants_of(connection, [row.id for row in rows])
    able = [(actor_of(row, grants.get(row.id, [])), row) for row in rows]
    found = sorted(
        (len(actor.permissions), row.email, row.display_name) for actor, row in able if actor.may(permission, of)
    )
    return [f"{name} ({email})" if name else email for _, email, name in found[:MOST_NAMED]]
