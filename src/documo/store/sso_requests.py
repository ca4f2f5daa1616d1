"""SQL of sign-ins in progress: accepted responses, used requests and used assertions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection

_TICKET = (
    "tenant_id, member_id::text, browser_hash, name_id, session_index, session_ends_at, attempt_id::text,"
    " authenticated_at"
)


@dataclass(frozen=True, slots=True)
class TicketRow:
    """An accepted response. *member_id* is None for a test; *browser_hash* is None if the sign-in began at the provider."""

    tenant_id: int
    member_id: str | None
    browser_hash: bytes | None
    name_id: str
    session_index: str
    session_ends_at: datetime | None
    attempt_id: str | None
    authenticated_at: datetime | None = None


async def use_once(connection: Connection, used_hash: bytes, expires_at: datetime) -> bool:
    """Record that a request or an assertion was used. Returns False if it was used before."""
    cursor = await connection.execute(
        "insert into sso_used values (%s, %s) on conflict do nothing", (used_hash, expires_at)
    )
    return cursor.rowcount == 1


async def insert_ticket(connection: Connection, secret_hash: bytes, row: TicketRow, expires_at: datetime) -> None:
    await connection.execute(
        "insert into sso_tickets (secret_hash, tenant_id, member_id, browser_hash, name_id, session_index,"
        " session_ends_at, attempt_id, authenticated_at, expires_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            secret_hash, row.tenant_id, row.member_id, row.browser_hash, row.name_id, row.session_index,
            row.session_ends_at, row.attempt_id, row.authenticated_at, expires_at,
        ),
    )  # fmt: skip


async def read_ticket(connection: Connection, secret_hash: bytes, now: datetime) -> TicketRow | None:
    """Return the ticket without using it up, or None if it was used or has expired. Works outside a tenant's transaction."""
    cursor = connection.cursor(row_factory=class_row(TicketRow))
    await cursor.execute(
        f"select {_TICKET} from sso_tickets where secret_hash = %s and expires_at > %s",  # noqa: S608 -- a constant
        (secret_hash, now),
    )
    return await cursor.fetchone()


async def use_ticket(connection: Connection, secret_hash: bytes, now: datetime) -> TicketRow | None:
    """Return the ticket and mark it as used. Returns None if it was already used or has expired. Works outside a tenant's transaction."""
    cursor = connection.cursor(row_factory=class_row(TicketRow))
    await cursor.execute(
        f"delete from sso_tickets where secret_hash = %s and expires_at > %s returning {_TICKET}",  # noqa: S608 -- a constant
        (secret_hash, now),
    )
    return await cursor.fetchone()


async def remove_tickets(connection: Connection, tenant_id: int) -> None:
    """Remove an account's accepted responses that were not collected yet."""
    await connection.execute("delete from sso_tickets where tenant_id = %s", (tenant_id,))


async def remove_expired(connection: Connection, now: datetime) -> None:
    """Remove expired rows of all accounts. Works outside a tenant's transaction."""
    await connection.execute("delete from sso_tickets where expires_at < %s", (now,))
    await connection.execute("delete from sso_used where expires_at < %s", (now,))
