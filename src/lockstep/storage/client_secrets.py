"""The client secrets of applications that sign people in through OpenID Connect, stored as hashes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection

_SEEN_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ClientSecretRow:
    """A client secret without its value, which is stored only as a hash. *last_used_at* is accurate to an hour."""

    id: str
    app: str
    hint: str
    description: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    last_used_at: datetime | None


_SELECT = "select id::text, app::text, hint, description, created_at, created_by, expires_at, last_used_at from client_secret "


async def read_secrets(connection: Connection, app: str) -> list[ClientSecretRow]:
    """Return the secrets of *app*, newest first."""
    async with connection.cursor(row_factory=class_row(ClientSecretRow)) as cursor:
        await cursor.execute(_SELECT + "where app = %s order by created_at desc, id", (app,))
        return await cursor.fetchall()


async def insert_secret(
    connection: Connection, app: str, secret_hash: bytes, *, hint: str, description: str, now: datetime,
    expires_at: datetime, actor: str,
) -> None:  # fmt: skip
    await connection.execute(
        """insert into client_secret (app, secret_hash, hint, description, created_at, created_by, expires_at)
        values (%s, %s, %s, %s, %s, %s, %s)""",
        (app, secret_hash, hint, description, now, actor, expires_at),
    )


async def delete_secret(connection: Connection, app: str, secret: str) -> None:
    await connection.execute("delete from client_secret where app = %s and id = %s", (app, secret))


async def use_secret(connection: Connection, app: str, secret_hash: bytes, now: datetime) -> bool:
    """Record that *app* used this secret. The recorded time is replaced at most once an hour. Returns False if *app* has no such secret or
    the secret has expired.
    """
    cursor = await connection.execute(
        """select id::text, last_used_at from client_secret where app = %s and secret_hash = %s and expires_at > %s""",
        (app, secret_hash, now),
    )
    row = await cursor.fetchone()
    if row is None:
        return False
    secret, last_used_at = row
    if last_used_at is None or now - last_used_at >= _SEEN_AGAIN:
        await connection.execute("update client_secret set last_used_at = %s where id = %s", (now, secret))
    return True
