"""The things that exist once per installation: the tenant's id, the database server, and the lock that serialises changes of the directory.

Call `lock_directory` before changing people, groups, members, roles or assignments, before starting a job, and before changing anything
that a job depends on. Without the lock, one transaction could assign a group while another adds a member. Neither would see the other's
change, so neither would mark the new member, who would never be evaluated.
"""

# ruff: noqa: S101  # an asserted row always exists
from __future__ import annotations

from dataclasses import dataclass

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row

_DIRECTORY_LOCK = 0x10C6_57E9


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """The server that answers. *number* is its version as a number, such as 150004; *size* is the size of the database, as text."""

    version: str
    number: int
    is_in_recovery: bool
    size: str


async def read_server(connection: Connection) -> DatabaseServer:
    cursor = await connection.execute(
        """select current_setting('server_version'), current_setting('server_version_num')::int, pg_is_in_recovery(),
            pg_size_pretty(pg_database_size(current_database()))"""
    )
    return DatabaseServer(*await only_row(cursor))


async def tenant_id(connection: Connection) -> str:
    cursor = await connection.execute("select tenant_id::text from instance")
    row = await cursor.fetchone()
    assert row is not None, "the first migration makes the instance"
    return str(row[0])


async def lock_directory(connection: Connection) -> None:
    """Wait for all other changes of the directory. The lock is held until the transaction ends; taking it twice is harmless."""
    await connection.execute("select pg_advisory_xact_lock(%s)", (_DIRECTORY_LOCK,))
