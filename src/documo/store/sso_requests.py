"""SQL of sign-ins under way: requests to a provider, responses that were accepted, assertions that were used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request that was sent to a provider. *tested_by*: the user name of the Admin who tests, or ""."""

    id: str
    reference: str
    tenant_id: int
    browser_hash: bytes
    reply_url: str
    next: str
    tested_by: str


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A response that was accepted. *member_id* is None for a test, *browser_hash* if the sign-in began at the provider."""

    tenant_id: int
    member_id: str | None
    browser_hash: bytes | None
    next: str
    name_id: str
    session_index: str
    session_ends_at: datetime | None
    attempt_id: str | None


async def insert_request(connection: Connection, row: RequestRow, expires_at: datetime) -> None:
    await connection.execute(
        "insert into sso_requests (id, reference, tenant_id, browser_hash, reply_url, next, tested_by, expires_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            row.id, row.reference, row.tenant_id, row.browser_hash, row.reply_url, row.next, row.tested_by, expires_at,
        ),
    )  # fmt: skip


async def read_request(connection: Connection, request_id: str, now: datetime) -> RequestRow | None:
    """The request with this ID, unless it is over. Needs no tenant."""
    cursor = connection.cursor(row_factory=class_row(RequestRow))
    await cursor.execute(
        "select id, reference, tenant_id, browser_hash, reply_url, next, tested_by from sso_requests"
        " where id = %s and expires_at > %s",
        (request_id, now),
    )
    return await cursor.fetchone()


async def use_request(connection: Connection, request_id: str) -> bool:
    """Use the request up; False if another response did so first."""
    cursor = await connection.execute("delete from sso_requests where id = %s", (request_id,))
    return cursor.rowcount == 1


async def use_assertion(connection: Connection, tenant_id: int, assertion_hash: bytes, expires_at: datetime) -> bool:
    """Note that the assertion was used; False if it had been used before."""
    cursor = await connection.execute(
        "insert into sso_used_assertions values (%s, %s, %s) on conflict do nothing",
        (tenant_id, assertion_hash, expires_at),
    )
    return cursor.rowcount == 1


async def insert_ticket(connection: Connection, secret_hash: bytes, row: TicketRow, expires_at: datetime) -> None:
    await connection.execute(
        "insert into sso_tickets (secret_hash, tenant_id, member_id, browser_hash, next, name_id, session_index,"
        " session_ends_at, attempt_id, expires_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            secret_hash, row.tenant_id, row.member_id, row.browser_hash, row.next, row.name_id, row.session_index,
            row.session_ends_at, row.attempt_id, expires_at,
        ),
    )  # fmt: skip


async def use_ticket(connection: Connection, secret_hash: bytes, now: datetime) -> TicketRow | None:
    """The ticket, which is used up; None if it was used or is over. Needs no tenant."""
    cursor = connection.cursor(row_factory=class_row(TicketRow))
    await cursor.execute(
        "delete from sso_tickets where secret_hash = %s and expires_at > %s returning tenant_id, member_id::text,"
        " browser_hash, next, name_id, session_index, session_ends_at, attempt_id::text",
        (secret_hash, now),
    )
    return await cursor.fetchone()


async def remove_tickets(connection: Connection, tenant_id: int) -> None:
    """Remove the responses of an account that were accepted and not yet collected."""
    await connection.execute("delete from sso_tickets where tenant_id = %s", (tenant_id,))


async def remove_expired(connection: Connection, now: datetime) -> None:
    """Remove what is over, of all accounts. Needs no tenant."""
    await connection.execute("delete from sso_requests where expires_at < %s", (now,))
    await connection.execute("delete from sso_tickets where expires_at < %s", (now,))
    await connection.execute("delete from sso_used_assertions where expires_at < %s", (now,))
