"""The data that exists once per installation: the tenant's id, and the lock that serialises changes of the directory.

Call `lock_directory` before changing people, groups, members, roles or assignments, before starting a job, and before changing anything
that a job depends on. Without the lock, one transaction could assign a group while another adds a member. Neither would see the other's
change, so neither would mark the new member, who would never be evaluated.
"""

# ruff: noqa: S101  # an asserted row always exists
from __future__ import annotations

from lockstep.postgres.pool import Connection

_DIRECTORY_LOCK = 0x10C6_57E9


async def tenant_id(connection: Connection) -> str:
    cursor = await connection.execute("select tenant_id::text from instance")
    row = await cursor.fetchone()
    assert row is not None, "the first migration makes the instance"
    return str(row[0])


async def lock_directory(connection: Connection) -> None:
    """Wait for all other changes of the directory. The lock is held until the transaction ends; taking it twice is harmless."""
    await connection.execute("select pg_advisory_xact_lock(%s)", (_DIRECTORY_LOCK,))
