"""Passkeys of administrators: public keys of their devices. Each belongs to one host name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class PasskeyRow:
    id: str
    name: str
    host: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    created_at: datetime
    last_used_at: datetime | None


async def list_passkeys(connection: Connection, administrator: str) -> list[PasskeyRow]:
    """Return the passkeys of an administrator, oldest first."""
    async with connection.cursor(row_factory=class_row(PasskeyRow)) as cursor:
        await cursor.execute(
            """select id::text, name, host, credential_id, public_key, sign_count, created_at, last_used_at
            from passkey where administrator = %s order by created_at, id""",
            (administrator,),
        )
        return await cursor.fetchall()


async def insert_passkey(
    connection: Connection,
    administrator: str,
    *,
    name: str,
    host: str,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    now: datetime,
) -> bool:
    """Store a passkey. Returns False if it is already stored."""
    cursor = await connection.execute(
        """insert into passkey (administrator, name, host, credential_id, public_key, sign_count, created_at)
        values (%s, %s, %s, %s, %s, %s, %s) on conflict (credential_id) do nothing""",
        (administrator, name, host, credential_id, public_key, sign_count, now),
    )
    return cursor.rowcount == 1


async def note_used(connection: Connection, passkey: str, *, sign_count: int, now: datetime) -> None:
    await connection.execute(
        "update passkey set sign_count = %s, last_used_at = %s where id = %s", (sign_count, now, passkey)
    )


async def delete_passkey(connection: Connection, administrator: str, passkey: str) -> bool:
    """Delete a passkey of the administrator. Returns False if it does not exist."""
    cursor = await connection.execute(
        "delete from passkey where administrator = %s and id::text = %s", (administrator, passkey)
    )
    return cursor.rowcount == 1


async def delete_passkeys(connection: Connection, administrator: str) -> None:
    await connection.execute("delete from passkey where administrator = %s", (administrator,))
