"""The things that exist once per installation: the tenant's id and the database server."""

# ruff: noqa: S101  # an asserted row always exists
from __future__ import annotations

from dataclasses import dataclass

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """The database server in use. *number* is the server's version as a number, such as 150004. *size* is the size of the database, as
    text.
    """

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
