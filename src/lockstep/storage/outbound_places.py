"""Private addresses where applications may be reached, in addition to those that the environment of the process allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class OutboundPlace:
    """One allowed address. *entry* is an origin or a network, written as in `lockstep.http.origins`."""

    entry: str
    reason: str
    added_at: datetime
    added_by: str


async def list_places(connection: Connection) -> list[OutboundPlace]:
    """Return all allowed addresses, ordered by entry."""
    cursor = await connection.execute("select entry, reason, added_at, added_by from outbound_place order by entry")
    return [OutboundPlace(*row) for row in await cursor.fetchall()]


async def add_place(connection: Connection, entry: str, *, reason: str, actor: str) -> bool:
    """Allow the address *entry*. Returns False, and changes nothing, if it is already allowed."""
    cursor = await connection.execute(
        "insert into outbound_place (entry, reason, added_by) values (%s, %s, %s) on conflict do nothing",
        (entry, reason, actor),
    )
    return cursor.rowcount == 1


async def remove_place(connection: Connection, entry: str) -> bool:
    """No longer allow the address *entry*. Returns False if it was not in the list."""
    cursor = await connection.execute("delete from outbound_place where entry = %s", (entry,))
    return cursor.rowcount == 1
