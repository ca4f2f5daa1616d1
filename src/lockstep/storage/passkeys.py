"""Passkeys of administrators and of people: public keys of their devices. Each belongs to one owner and one host name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString

from psycopg.rows import class_row
from psycopg.sql import SQL, Composed, Identifier

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class PasskeyOwner:
    """An administrator, or a person of the directory, with their id."""

    kind: Literal["administrator", "person"]
    id: str

    @property
    def key(self) -> str:
        """A string that identifies the owner uniquely."""
        return self.id if self.kind == "administrator" else f"{self.kind} {self.id}"


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


async def list_passkeys(connection: Connection, owner: PasskeyOwner) -> list[PasskeyRow]:
    """Return the passkeys of *owner*, oldest first."""
    async with connection.cursor(row_factory=class_row(PasskeyRow)) as cursor:
        await cursor.execute(
            _of(
                owner,
                """select id::text, name, host, credential_id, public_key, sign_count, created_at, last_used_at
                from passkey where {owner} = %s order by created_at, id""",
            ),
            (owner.id,),
        )
        return await cursor.fetchall()


async def insert_passkey(
    connection: Connection,
    owner: PasskeyOwner,
    *,
    name: str,
    host: str,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    now: datetime,
) -> bool:
    """Store a passkey. Returns False, and changes nothing, if any owner has already stored it."""
    cursor = await connection.execute(
        _of(
            owner,
            """insert into passkey ({owner}, name, host, credential_id, public_key, sign_count, created_at)
            values (%s, %s, %s, %s, %s, %s, %s) on conflict (credential_id) do nothing""",
        ),
        (owner.id, name, host, credential_id, public_key, sign_count, now),
    )
    return cursor.rowcount == 1


async def note_used(connection: Connection, passkey: str, *, sign_count: int, now: datetime) -> None:
    await connection.execute(
        "update passkey set sign_count = %s, last_used_at = %s where id = %s", (sign_count, now, passkey)
    )


async def rename_passkey(connection: Connection, owner: PasskeyOwner, passkey: str, name: str) -> bool:
    """Rename a passkey of *owner*. Returns False if it does not exist."""
    cursor = await connection.execute(
        _of(owner, "update passkey set name = %s where {owner} = %s and id::text = lower(%s)"),
        (name, owner.id, passkey),
    )
    return cursor.rowcount == 1


async def delete_passkey(connection: Connection, owner: PasskeyOwner, passkey: str) -> bool:
    """Delete a passkey of *owner*. Returns False if it does not exist."""
    cursor = await connection.execute(
        _of(owner, "delete from passkey where {owner} = %s and id::text = lower(%s)"), (owner.id, passkey)
    )
    return cursor.rowcount == 1


async def delete_passkeys(connection: Connection, owner: PasskeyOwner) -> int:
    """Delete all passkeys of *owner*. Returns how many were deleted."""
    cursor = await connection.execute(_of(owner, "delete from passkey where {owner} = %s"), (owner.id,))
    return cursor.rowcount


def _of(owner: PasskeyOwner, statement: LiteralString) -> Composed:
    return SQL(statement).format(owner=Identifier(owner.kind))
