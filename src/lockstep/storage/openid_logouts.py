"""Applications that must still be notified that a person has signed out. The transaction that ends the session adds the rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class LogoutRow:
    """One application to notify. If *sid* is "", all sessions of the subject have ended."""

    id: str
    app: str
    issuer: str
    subject: str
    sid: str
    attempts: int


async def claim_due(connection: Connection, now: datetime, *, again_at: datetime, most: int) -> list[LogoutRow]:
    """Return up to *most* due rows and postpone them to *again_at*. If this process dies, another one sends the notifications at that
    time.
    """
    async with connection.cursor(row_factory=class_row(LogoutRow)) as cursor:
        await cursor.execute(
            """update openid_logout set due_at = %s, attempts = attempts + 1 where id in
                (select id from openid_logout where due_at <= %s order by due_at limit %s for update skip locked)
            returning id::text, app::text, issuer, subject, sid, attempts""",
            (again_at, now, most),
        )
        return await cursor.fetchall()


async def delete_logout(connection: Connection, logout: str) -> None:
    await connection.execute("delete from openid_logout where id = %s", (logout,))


async def put_off(connection: Connection, logout: str, until: datetime) -> None:
    await connection.execute("update openid_logout set due_at = %s where id = %s", (until, logout))
