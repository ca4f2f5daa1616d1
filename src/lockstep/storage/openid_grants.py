"""Codes, grants and tokens of the OpenID Connect provider. Tokens belong to a grant and end with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row


@dataclass(frozen=True, slots=True)
class CodeRow:
    """An authorization code, with the session in which it was issued. *grant_id* is the grant that it was redeemed for, or None."""

    app: str
    session: str
    person: str
    redirect_uri: str
    scopes: Sequence[str]
    nonce: str = field(repr=False)
    challenge: str = field(repr=False)
    expires_at: datetime
    grant_id: str | None
    methods: Sequence[str]
    signed_in_at: datetime


@dataclass(frozen=True, slots=True)
class CodeUse:
    """Whether the application exchanged a code for tokens, and when the code expires."""

    expires_at: datetime
    is_exchanged: bool


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One sign-in to an application, with the person's consent and the session. The tokens of the application belong to the grant."""

    id: str
    app: str
    person: str
    session: str | None
    is_offline: bool
    scopes: Sequence[str]
    issuer: str
    subject: str
    sid: str
    nonce: str = field(repr=False)
    methods: Sequence[str]
    authenticated_at: datetime
    created_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class GrantedTokenRow:
    """An access or refresh token."""

    grant_id: str
    is_refresh: bool
    scopes: Sequence[str]
    expires_at: datetime
    used_at: datetime | None


async def insert_code(
    connection: Connection, code_hash: bytes, *, app: str, session: str, redirect_uri: str, scopes: Sequence[str],
    nonce: str, challenge: str, expires_at: datetime, sign_in: str,
) -> bool:  # fmt: skip
    """Store a code. *sign_in* is the id of its record in the sign-in log. Returns False if the session has ended."""
    cursor = await connection.execute(
        """insert into openid_code (code_hash, app, session, redirect_uri, scopes, nonce, challenge, expires_at, sign_in)
        select %s, %s, id, %s, %s, %s, %s, %s, %s from person_session where id = %s for key share""",
        (code_hash, app, redirect_uri, list(scopes), nonce, challenge, expires_at, sign_in, session),
    )
    return cursor.rowcount == 1


async def codes_of_sign_ins(connection: Connection, app: str, sign_ins: Sequence[str]) -> dict[str, CodeUse]:
    """Return, by record id, whether the authorization code of each of these sign-in records was exchanged, and when the code expires. Codes
    that expired more than a day ago are absent, because they are deleted.
    """
    cursor = await connection.execute(
        """select sign_in::text, expires_at, grant_id is not null from openid_code
        where app = %s and sign_in = any(%s::uuid[])""",
        (app, list(sign_ins)),
    )
    return {sign_in: CodeUse(expires_at, is_exchanged) for sign_in, expires_at, is_exchanged in await cursor.fetchall()}


async def lock_code(connection: Connection, code_hash: bytes) -> CodeRow | None:
    """Return the code and lock it until the transaction ends. The session of the code is locked too, so that the session cannot end
    meanwhile.

    The session is locked first, because a transaction that ends a session locks in the same order: the session, then its codes. Another
    order could deadlock.
    """
    await connection.execute(
        """select from person_session where id = (select session from openid_code where code_hash = %s) for key share""",
        (code_hash,),
    )
    async with connection.cursor(row_factory=class_row(CodeRow)) as cursor:
        await cursor.execute(
            """select code.app::text, code.session::text, held.person::text, code.redirect_uri, code.scopes, code.nonce, code.challenge,
                code.expires_at, code.grant_id::text, held.methods, held.signed_in_at
            from openid_code as code join person_session as held on held.id = code.session
            where code.code_hash = %s for update of code""",
            (code_hash,),
        )
        return await cursor.fetchone()


async def note_redeemed(connection: Connection, code_hash: bytes, grant: str) -> None:
    await connection.execute("update openid_code set grant_id = %s where code_hash = %s", (grant, code_hash))


async def insert_grant(connection: Connection, grant: GrantRow) -> None:
    await connection.execute(
        """insert into openid_grant (id, app, person, session, is_offline, scopes, issuer, subject, sid, nonce, methods, authenticated_at,
            created_at, ends_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            grant.id, grant.app, grant.person, grant.session, grant.is_offline, list(grant.scopes), grant.issuer, grant.subject,
            grant.sid, grant.nonce, list(grant.methods), grant.authenticated_at, grant.created_at, grant.ends_at,
        ),
    )  # fmt: skip


async def read_grant(connection: Connection, grant: str) -> GrantRow | None:
    return await _grant(connection, "where id = %s", grant)


async def people_signed_in(connection: Connection, app: str) -> int:
    """Count the people for whom the application may have valid tokens."""
    cursor = await connection.execute("select count(distinct person) from openid_grant where app = %s", (app,))
    return int((await only_row(cursor))[0])


async def lock_grant_of(connection: Connection, token_hash: bytes) -> GrantRow | None:
    """Return the grant of a token and lock it until the transaction ends, so that only one refresh at a time uses it."""
    return await _grant(
        connection, "where id = (select grant_id from openid_token where token_hash = %s) for update", token_hash
    )


async def read_token(connection: Connection, token_hash: bytes) -> GrantedTokenRow | None:
    async with connection.cursor(row_factory=class_row(GrantedTokenRow)) as cursor:
        await cursor.execute(
            "select grant_id::text, is_refresh, scopes, expires_at, used_at from openid_token where token_hash = %s",
            (token_hash,),
        )
        return await cursor.fetchone()


async def insert_token(
    connection: Connection,
    token_hash: bytes,
    grant: str,
    *,
    is_refresh: bool,
    scopes: Sequence[str],
    expires_at: datetime,
) -> None:
    await connection.execute(
        "insert into openid_token (token_hash, grant_id, is_refresh, scopes, expires_at) values (%s, %s, %s, %s, %s)",
        (token_hash, grant, is_refresh, list(scopes), expires_at),
    )


async def note_used(connection: Connection, token_hash: bytes, now: datetime) -> None:
    await connection.execute("update openid_token set used_at = %s where token_hash = %s", (now, token_hash))


async def end_access(connection: Connection, token_hash: bytes) -> None:
    """Delete one token. Its grant and the other tokens stay."""
    await connection.execute("delete from openid_token where token_hash = %s", (token_hash,))


async def end_grant(connection: Connection, grant: str) -> None:
    """End a grant and all its tokens."""
    await connection.execute("delete from openid_grant where id = %s", (grant,))


async def _grant(connection: Connection, condition: str, given: str | bytes) -> GrantRow | None:
    async with connection.cursor(row_factory=class_row(GrantRow)) as cursor:
        await cursor.execute(
            f"""select id::text, app::text, person::text, session::text, is_offline, scopes, issuer, subject, sid, nonce, methods,
                authenticated_at, created_at, ends_at
            from openid_grant {condition}""",  # noqa: S608  # conditions of this module
            (given,),
        )
        return await cursor.fetchone()
