"""Secrets of the service itself, created once and shared by all its processes."""

from __future__ import annotations

import os

from lockstep.postgres.pool import Connection


async def secret(connection: Connection, name: str, size: int) -> bytes:
    """Return the secret with this name, which is created on first use."""
    await connection.execute(
        "insert into service_secrets values (%s, %s) on conflict do nothing", (name, os.urandom(size))
    )
    cursor = await connection.execute("select value from service_secrets where name = %s", (name,))
    row = await cursor.fetchone()
    return bytes(row[0]) if row else b""
