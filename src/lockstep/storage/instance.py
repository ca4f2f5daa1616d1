"""What there is once: the tenant's id, and the lock that makes changes of the directory happen one after the other.

Whoever changes people, groups, members, roles or assignments, starts a job or changes what a job depends on takes
`lock_directory` first. Otherwise two transactions that do not see each other (one assigns a group, one adds a member) would each
find nobody to mark, and the new member would never be looked at.
"""

# ruff: noqa: S101  # statements are put together from constants of this module; a row that must be there is there
from __future__ import annotations

from lockstep.postgres.pool import Connection

_DIRECTORY_LOCK = 0x10C6_57E9


async def tenant_id(connection: Connection) -> str:
    cursor = await connection.execute("select tenant_id::text from instance")
    row = await cursor.fetchone()
    assert row is not None, "the first migration makes the instance"
    return str(row[0])


async def lock_directory(connection: Connection) -> None:
    """Wait until nobody else changes the directory. Held until the transaction ends; taking it twice is harmless."""
    await connection.execute("select pg_advisory_xact_lock(%s)", (_DIRECTORY_LOCK,))
