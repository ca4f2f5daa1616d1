"""The public address of the service, stored by the process that was started last."""

from __future__ import annotations

from lockstep.postgres.pool import Connection


async def save_address(connection: Connection, url: str) -> None:
    await connection.execute(
        "insert into service_address (url) values (%s) on conflict (is_only) do update set url = excluded.url", (url,)
    )


async def read_address(connection: Connection) -> str:
    """Return the address without a trailing slash, or "" if the service has never run."""
    cursor = await connection.execute("select url from service_address")
    row = await cursor.fetchone()
    return str(row[0]) if row else ""
