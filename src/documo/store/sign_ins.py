"""SQL of members who sign in to the pages: names, sessions, one-time links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row

from documo.store.members import SHOWN_NAME
from lockstep.postgres.pool import Connection

_CURRENT = "kind in ('User', 'Operator') and deleted_at is null"
_SESSION = "id::text, tenant_id, member_id::text, device, address, signed_in_at, seen_at, expires_at, name_id, session_index, confirmed_at"


@dataclass(frozen=True, slots=True)
class SignInMember:
    """The data of a member that is needed to sign in. *role* is None for the account's default role."""

    id: str
    user_name: str
    name: str
    role: str | None
    active: bool
    source: str
    password_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class MemberSessionRow:
    """One browser in which a member is signed in."""

    id: str
    tenant_id: int
    member_id: str
    device: str
    address: str
    signed_in_at: datetime
    seen_at: datetime
    expires_at: datetime
    name_id: str
    session_index: str
    confirmed_at: datetime


async def members_named(connection: Connection, name: str, *, most: int, account: str = "") -> list[tuple[int, str]]:
    """Return tenant and id of the members who have a password and whose user name has the key *name*. The member who signed in last comes
    first.

    With *account*, only the account with this name is searched, ignoring case; "" means all accounts. Works outside a tenant's transaction.
    """
    cursor = await connection.execute(
        "select n.tenant_id, n.member_id::text from sign_in_names n join accounts a on a.id = n.tenant_id"
        " left join member_last_sign_ins l on l.tenant_id = n.tenant_id and l.member_id = n.member_id"
        " where n.name = %s and (%s = '' or lower(a.name) = lower(%s)) order by l.at desc nulls last, n.tenant_id limit %s",
        (name, account, account, most),
    )
    return [(int(tenant), str(member)) for tenant, member in await cursor.fetchall()]


async def read_member(connection: Connection, tenant_id: int, member_id: str) -> SignInMember | None:
    """Return the member, or None if the member is unknown or deleted. Must run in the tenant's transaction."""
    cursor = connection.cursor(row_factory=class_row(SignInMember))
    await cursor.execute(
        f"select id::text, document->>'userName' as user_name, {SHOWN_NAME} as name, role, active, source, password_hash"  # noqa: S608 -- constants
        f" from resources where tenant_id = %s and id = %s and {_CURRENT}",
        (tenant_id, member_id),
    )
    return await cursor.fetchone()


async def may_still_sign_in(
    connection: Connection, tenant_id: int, member_id: str, *, password_hash: str | None = None
) -> bool:
    """Whether the member is active and, if a password hash is given, still has the password with this hash. Must run in the tenant's
    transaction.

    The member stays locked until the transaction ends. A concurrent change that ends sessions therefore waits, and then also ends the new
    session.
    """
    cursor = await connection.execute(
        f"select 1 from resources where tenant_id = %s and id = %s and {_CURRENT} and active"  # noqa: S608 -- constants
        " and (%s::text is null or password_hash = %s) for share",
        (tenant_id, member_id, password_hash, password_hash),
    )
    return await cursor.fetchone() is not None


async def member_with_name(connection: Connection, tenant_id: int, name: str) -> SignInMember | None:
    """Return the member whose user name has the key *name*. Deleted members are not found. Must run in the tenant's transaction."""
    cursor = await connection.execute(
        f"select id::text from resources where tenant_id = %s and unique_name = %s and {_CURRENT}",  # noqa: S608 -- constants
        (tenant_id, name),
    )
    row = await cursor.fetchone()
    return await read_member(connection, tenant_id, str(row[0])) if row else None


async def end_sessions_of(connection: Connection, tenant_id: int, name_id: str, session_indexes: Sequence[str]) -> int:
    """End the sessions that a provider began for *name_id*. If *session_indexes* is not empty, end only those of them that have one of
    these indexes. Returns how many ended.
    """
    cursor = await connection.execute(
        "delete from member_sessions where tenant_id = %s and name_id = %s and (%s or session_index = any(%s))",
        (tenant_id, name_id, not session_indexes, list(session_indexes)),
    )
    return cursor.rowcount


async def set_password(connection: Connection, tenant_id: int, member_id: str, password_hash: str) -> None:
    """Set the password and end all sessions of the member."""
    await connection.execute(
        "update resources set password_hash = %s where tenant_id = %s and id = %s",
        (password_hash, tenant_id, member_id),
    )


async def insert_session(
    connection: Connection, tenant_id: int, member_id: str, secret_hash: bytes, *, device: str, address: str,
    now: datetime, expires_at: datetime, name_id: str = "", session_index: str = "", confirmed_at: datetime | None = None,
) -> None:  # fmt: skip
    """Insert a session, and record that the member signed in. *confirmed_at* is None if the member must prove who they are again."""
    await connection.execute(
        "insert into member_sessions (tenant_id, member_id, secret_hash, device, address, signed_in_at, seen_at, expires_at,"
        " name_id, session_index, confirmed_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, coalesce(%s::timestamptz, 'epoch'))",
        (
            tenant_id,
            member_id,
            secret_hash,
            device,
            address,
            now,
            now,
            expires_at,
            name_id,
            session_index,
            confirmed_at,
        ),
    )
    await connection.execute(
        "insert into member_last_sign_ins values (%s, %s, %s, %s)"
        " on conflict (tenant_id, member_id) do update set at = excluded.at, address = excluded.address",
        (tenant_id, member_id, now, address),
    )


async def sessions_of(
    connection: Connection, tenant_id: int, member_id: str, *, now: datetime
) -> list[MemberSessionRow]:
    """Return the sessions of a member that have not expired, newest first."""
    cursor = connection.cursor(row_factory=class_row(MemberSessionRow))
    await cursor.execute(
        f"select {_SESSION} from member_sessions where tenant_id = %s and member_id = %s and expires_at > %s"  # noqa: S608 -- a constant
        " order by signed_in_at desc, id",
        (tenant_id, member_id, now),
    )
    return await cursor.fetchall()


async def end_sessions(connection: Connection, tenant_id: int, member_id: str, *, only: str | None = None) -> int:
    """End a member's session with the id *only*, or all sessions of the member if *only* is None. Returns how many ended."""
    cursor = await connection.execute(
        "delete from member_sessions where tenant_id = %s and member_id = %s and (%s::uuid is null or id = %s)",
        (tenant_id, member_id, only, only),
    )
    return cursor.rowcount


async def end_other_sessions(connection: Connection, tenant_id: int, member_id: str, kept: str) -> None:
    """End the sessions of a member except *kept*."""
    await connection.execute(
        "delete from member_sessions where tenant_id = %s and member_id = %s and id <> %s", (tenant_id, member_id, kept)
    )


async def end_provider_sessions(connection: Connection, tenant_id: int) -> None:
    """End the sessions that an identity provider began."""
    await connection.execute("delete from member_sessions where tenant_id = %s and name_id <> ''", (tenant_id,))


async def end_password_sessions(connection: Connection, tenant_id: int, *, but_of: str) -> None:
    """End the sessions that began with a password, except those of the member *but_of*."""
    await connection.execute(
        "delete from member_sessions where tenant_id = %s and name_id = '' and member_id <> %s", (tenant_id, but_of)
    )


async def read_session(connection: Connection, secret_hash: bytes) -> MemberSessionRow | None:
    """Return the session with this secret, even if it has expired. Works outside a tenant's transaction."""
    cursor = connection.cursor(row_factory=class_row(MemberSessionRow))
    await cursor.execute(
        f"select {_SESSION} from member_sessions where secret_hash = %s",  # noqa: S608 -- a constant
        (secret_hash,),
    )
    return await cursor.fetchone()


async def note_seen(connection: Connection, session: str, now: datetime) -> None:
    await connection.execute("update member_sessions set seen_at = %s where id = %s", (now, session))


async def confirm_session(connection: Connection, session: str, secret_hash: bytes, now: datetime) -> None:
    """Record that the member proved who they are, and replace the secret of the session."""
    await connection.execute(
        "update member_sessions set confirmed_at = %s, secret_hash = %s where id = %s", (now, secret_hash, session)
    )


async def end_session(connection: Connection, session: str) -> None:
    await connection.execute("delete from member_sessions where id = %s", (session,))


async def remove_expired(connection: Connection, now: datetime) -> None:
    """Remove expired sessions and links."""
    await connection.execute("delete from member_sessions where expires_at < %s", (now,))
    await connection.execute("delete from member_links where expires_at < %s", (now,))


async def save_link(
    connection: Connection, tenant_id: int, member_id: str, secret_hash: bytes, *, created_by: str, expires_at: datetime
) -> None:
    """Save the member's one-time link; it replaces an earlier one."""
    await connection.execute(
        "insert into member_links (secret_hash, tenant_id, member_id, created_by, expires_at) values (%s, %s, %s, %s, %s)"
        " on conflict (tenant_id, member_id) do update set secret_hash = excluded.secret_hash,"
        " created_by = excluded.created_by, expires_at = excluded.expires_at",
        (secret_hash, tenant_id, member_id, created_by, expires_at),
    )


async def link_owner(connection: Connection, secret_hash: bytes, now: datetime) -> tuple[int, str] | None:
    """Return tenant and member of a valid link. Works outside a tenant's transaction."""
    cursor = await connection.execute(
        "select tenant_id, member_id::text from member_links where secret_hash = %s and expires_at > %s",
        (secret_hash, now),
    )
    row = await cursor.fetchone()
    return (int(row[0]), str(row[1])) if row else None


async def use_link(connection: Connection, secret_hash: bytes) -> bool:
    """Use up the link. Returns False if another request has already done so."""
    cursor = await connection.execute("delete from member_links where secret_hash = %s", (secret_hash,))
    return cursor.rowcount == 1
