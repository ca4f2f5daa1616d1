"""Sessions of people: the hash of a random secret, how the person signed in, and when the session ends."""

# ruff: noqa: S608  # statements are built from constants of this module only
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class PersonSessionRow:
    """One session of a person. *seen_at* is accurate to a minute."""

    id: str
    person: str
    device: str
    address: str
    methods: Sequence[str]
    signed_in_at: datetime
    seen_at: datetime
    expires_at: datetime


_COLUMNS = "id::text, person::text, device, address, methods, signed_in_at, seen_at, expires_at"


async def insert_session(
    connection: Connection,
    person: str,
    secret_hash: bytes,
    *,
    methods: Sequence[str],
    device: str,
    address: str,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """Begin a session at *now*, and delete all expired sessions. Returns False if the person is disabled or deleted.

    The person is locked. A transaction that disables the person waits for this one and then ends the new session.
    """
    await connection.execute("delete from person_session where expires_at < %s", (now,))
    cursor = await connection.execute(
        """insert into person_session (person, secret_hash, device, address, methods, signed_in_at, seen_at, expires_at)
        select id, %(hash)s, %(device)s, %(address)s, %(methods)s, %(now)s, %(now)s, %(expires_at)s
        from person where id = %(person)s and account_enabled and deleted_at is null for share""",
        {
            "hash": secret_hash,
            "device": device,
            "address": address,
            "methods": list(methods),
            "now": now,
            "expires_at": expires_at,
            "person": person,
        },
    )
    return cursor.rowcount == 1


async def read_session(connection: Connection, secret_hash: bytes) -> PersonSessionRow | None:
    """Return the session with this secret if its person is enabled and not deleted."""
    async with connection.cursor(row_factory=class_row(PersonSessionRow)) as cursor:
        await cursor.execute(
            f"""select {_COLUMNS} from person_session where secret_hash = %s
                and exists (select from person where id = person_session.person and account_enabled and deleted_at is null)""",
            (secret_hash,),
        )
        return await cursor.fetchone()


async def list_sessions(connection: Connection, person: str, now: datetime) -> list[PersonSessionRow]:
    """Return the person's sessions that have not expired, most recently used first."""
    async with connection.cursor(row_factory=class_row(PersonSessionRow)) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from person_session where person = %s and expires_at > %s order by seen_at desc, id",
            (person, now),
        )
        return await cursor.fetchall()


async def note_seen(connection: Connection, session: str, at: datetime) -> None:
    await connection.execute("update person_session set seen_at = %s where id = %s", (at, session))


async def add_method(connection: Connection, session: str, method: str, secret_hash: bytes) -> None:
    """Add a method to those used in the session, and give the session a new secret."""
    await connection.execute(
        """update person_session set methods = array_append(array_remove(methods, %(method)s), %(method)s), secret_hash = %(hash)s
        where id = %(session)s""",
        {"method": method, "hash": secret_hash, "session": session},
    )


async def end_session(connection: Connection, session: str) -> bool:
    cursor = await connection.execute("delete from person_session where id = %s", (session,))
    return cursor.rowcount == 1


async def end_sessions(connection: Connection, person: str, *, except_for: str = "") -> int:
    """End all sessions of a person except *except_for*. Returns how many ended.

    Also ends the offline access of applications.
    """
    cursor = await connection.execute(
        "delete from person_session where person = %s and id::text <> %s", (person, except_for)
    )
    await connection.execute(
        """with ended as (delete from openid_grant where person = %s and session is null returning app, issuer, subject)
        insert into openid_logout (app, issuer, subject, sid) select distinct app, issuer, subject, '' from ended""",
        (person,),
    )
    return cursor.rowcount
