"""SQL of sign-ins under way: responses that were accepted, requests and assertions that were used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection

_TICKET = "tenant_id, member_id::text, browser_hash, name_id, session_index, session_ends_at, attempt_id::text"


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A response that was accepted. *member_id* is None for a test, *browser_hash* if the sign-in began at the provider."""

    tenant_id: int
    member_id: str | None
    browser_hash: bytes | None
    name_id: str
    session_index: str
    session_ends_at: datetime | None
    attempt_id: str | None


async def use_once(connection: Connection, used_hash: bytes, expires_at: datetime) -> bool:
    """Note that this was used, in any account; False if it had been used before."""
    cursor = await connection.execute(
        "insert into sso_used values (%s, %s) on conflict do nothing", (used_hash, expires_at)
    )
    return cursor.rowcount == 1


async def insert_ticket(connection: Connection, secret_hash: bytes, row: TicketRow, expires_at: datetime) -> None:
    await connection.execute(
        "insert into sso_tickets (secret_hash, tenant_id, member_id, browser_hash, name_id, session_index,"
        " session_ends_at, attempt_id, expires_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            secret_hash, row.tenant_id, row.member_id, row.browser_hash, row.name_id, row.session_index,
            row.session_ends_at, row.attempt_id, expires_at,
        ),
    )  # fmt: skip


async def read_ticket(connection: Connection, secret_hash: bytes, now: datetime) -> TicketRow | None:
    """The ticket, which stays; None if it was used or is over. Needs no tenant."""
    cursor = connection.cursor(row_factory=class_row(TicketRow))
    await cursor.execute(
        f"select {_TICKET} from sso_tickets where secret_hash = %s and expires_at > %s",  # noqa: S608 -- a constant
        (secret_hash, now),
    )
    return await cursor.fetchone()


async def use_ticket(connection: Connection, secret_hash: bytes, now: datetime) -> TicketRow | None:
    """Return the ticket and mark it as used; None if it was already used or has expired. Needs no tenant."""
    cursor = connection.cursor(row_factory=class_row(TicketRow))
    await cursor.execute(
        f"delete from sso_tickets where secret_hash = %s and expires_at > %s returning {_TICKET}",  # noqa: S608 -- a constant
        (secret_hash, now),
    )
    return await cursor.fetchone()


async def remove_tickets(connection: Connection, tenant_id: int) -> None:
    """Remove the responses of an account that were accepted and not yet collected."""
    await connection.execute("delete from sso_tickets where tenant_id = %s", (tenant_id,))


async def remove_expired(connection: Connection, now: datetime) -> None:
    """Remove what is over, of all accounts. Needs no tenant."""
    await connection.execute("delete from sso_tickets where expires_at < %s", (now,))
    await connection.execute("delete from sso_used where expires_at < %s", (now,))
