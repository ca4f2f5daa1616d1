"""Links that work only once. They let the first administrator begin, invited administrators join, and administrators choose a new password.
The links are stored as hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class OneTimeLink:
    """One link. *administrator* is None in the link for the first administrator, who has no account yet."""

    id: str
    purpose: str
    administrator: str | None
    expires_at: datetime


async def replace_link(
    connection: Connection,
    *,
    purpose: str,
    administrator: str | None,
    secret_hash: bytes,
    now: datetime,
    actor: str,
    expires_at: datetime,
) -> None:
    """Store a link. It replaces the previous link of the same administrator or, if *administrator* is None, of the first administrator."""
    await connection.execute("delete from one_time_link where administrator is not distinct from %s", (administrator,))
    await connection.execute(
        """insert into one_time_link (purpose, administrator, secret_hash, created_at, created_by, expires_at)
        values (%s, %s, %s, %s, %s, %s)""",
        (purpose, administrator, secret_hash, now, actor, expires_at),
    )


async def find_link(connection: Connection, secret_hash: bytes) -> OneTimeLink | None:
    async with connection.cursor(row_factory=class_row(OneTimeLink)) as cursor:
        await cursor.execute(
            "select id::text, purpose, administrator::text, expires_at from one_time_link where secret_hash = %s",
            (secret_hash,),
        )
        return await cursor.fetchone()


async def use_link(connection: Connection, link: str) -> bool:
    """Delete the link. Returns False if another request has already deleted it."""
    cursor = await connection.execute("delete from one_time_link where id = %s", (link,))
    return cursor.rowcount == 1


async def void_links(connection: Connection, administrator: str) -> None:
    """Delete the links of an administrator."""
    await connection.execute("delete from one_time_link where administrator = %s", (administrator,))
