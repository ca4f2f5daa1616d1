"""Access tokens for the API: shown once, stored as a hash."""

# ruff: noqa: S608  # statements are built from constants of this module only
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row

_COLUMNS = """access_token.id::text, kind, name, owner::text, administrator.email as owner_email, scopes, hint, access_token.created_at,
    access_token.created_by, expires_at, last_used_at"""
_FROM = "access_token left join administrator on administrator.id = access_token.owner"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token. *owner* is the administrator who owns a personal token. *hint* contains the token's last four characters."""

    id: str
    kind: str
    name: str
    owner: str | None
    owner_email: str | None
    scopes: Sequence[str]
    hint: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    last_used_at: datetime | None


async def insert_token(
    connection: Connection,
    *,
    kind: str,
    name: str,
    owner: str | None,
    scopes: Sequence[str],
    secret_hash: bytes,
    hint: str,
    now: datetime,
    actor: str,
    expires_at: datetime,
) -> str:
    """Store a token and return its id."""
    cursor = await connection.execute(
        """insert into access_token (kind, name, owner, scopes, secret_hash, hint, created_at, created_by, expires_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning id::text""",
        (kind, name, owner, list(scopes), secret_hash, hint, now, actor, expires_at),
    )
    return str((await only_row(cursor))[0])


async def find_by_secret(connection: Connection, secret_hash: bytes) -> TokenRow | None:
    async with connection.cursor(row_factory=class_row(TokenRow)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from {_FROM} where secret_hash = %s", (secret_hash,))
        return await cursor.fetchone()


async def read_token(connection: Connection, token: str) -> TokenRow | None:
    async with connection.cursor(row_factory=class_row(TokenRow)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from {_FROM} where access_token.id::text = lower(%s)", (token,))
        return await cursor.fetchone()


async def list_tokens(connection: Connection, *, owner: str = "") -> list[TokenRow]:
    """Return all tokens, or those of one owner, newest first."""
    async with connection.cursor(row_factory=class_row(TokenRow)) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from {_FROM} where %(owner)s = '' or owner::text = %(owner)s "
            "order by access_token.created_at desc, access_token.id",
            {"owner": owner},
        )
        return await cursor.fetchall()


async def note_used(connection: Connection, token: str, at: datetime) -> None:
    await connection.execute("update access_token set last_used_at = %s where id = %s", (at, token))


async def delete_token(connection: Connection, token: str) -> None:
    await connection.execute("delete from access_token where id = %s", (token,))
