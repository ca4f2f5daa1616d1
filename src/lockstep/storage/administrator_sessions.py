"""Browser sessions of administrators. A session is stored as the hash of a random secret, with the times that decide when it ends."""

# ruff: noqa: S608  # statements are built from constants of this module only
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection

_COLUMNS = "id::text, administrator::text, device, signed_in_at, seen_at, stepped_up_at, expires_at"


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session. *seen_at* is accurate to a minute; *stepped_up_at* is when the password was last entered."""

    id: str
    administrator: str
    device: str
    signed_in_at: datetime
    seen_at: datetime
    stepped_up_at: datetime
    expires_at: datetime


async def insert_session(
    connection: Connection,
    administrator: str,
    secret_hash: bytes,
    *,
    device: str,
    now: datetime,
    expires_at: datetime,
    stepped_up_at: datetime | None = None,
) -> None:
    """Begin a session at *now*, and delete the expired sessions of all administrators. If *stepped_up_at* is None, it is set to *now*."""
    await connection.execute("delete from administrator_session where expires_at < %s", (now,))
    await connection.execute(
        """insert into administrator_session (administrator, secret_hash, device, signed_in_at, seen_at, stepped_up_at, expires_at)
        values (%s, %s, %s, %s, %s, %s, %s)""",
        (administrator, secret_hash, device, now, now, stepped_up_at or now, expires_at),
    )


async def read_session(connection: Connection, secret_hash: bytes) -> SessionRow | None:
    async with connection.cursor(row_factory=class_row(SessionRow)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from administrator_session where secret_hash = %s", (secret_hash,))
        return await cursor.fetchone()


async def list_sessions(connection: Connection, administrator: str) -> list[SessionRow]:
    """Return the sessions of an administrator, most recently used first."""
    async with connection.cursor(row_factory=class_row(SessionRow)) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from administrator_session where administrator = %s order by seen_at desc, id",
            (administrator,),
        )
        return await cursor.fetchall()


async def note_seen(connection: Connection, session: str, at: datetime) -> None:
    await connection.execute("update administrator_session set seen_at = %s where id = %s", (at, session))


async def step_up(connection: Connection, session: str, secret_hash: bytes, at: datetime) -> None:
    """Record that the password was entered again, and give the session a new secret."""
    await connection.execute(
        "update administrator_session set secret_hash = %s, stepped_up_at = %s, seen_at = %s where id = %s",
        (secret_hash, at, at, session),
    )


async def end_session(connection: Connection, session: str) -> None:
    await connection.execute("delete from administrator_session where id = %s", (session,))


async def end_sessions(connection: Connection, administrator: str, *, except_for: str = "") -> int:
    """End the sessions of an administrator except *except_for*. Returns how many ended."""
    cursor = await connection.execute(
        "delete from administrator_session where administrator = %s and id::text <> %s", (administrator, except_for)
    )
    return cursor.rowcount
