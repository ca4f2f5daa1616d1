"""The provider through which administrators sign in, and the rules that turn the provider's claims into roles. Also records which messages
were used, so that none is accepted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """The provider, without its secret."""

    name: str
    issuer: str
    client_id: str
    has_secret: bool
    scopes: list[str]
    roles_claim: str
    trusts_email: bool
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class ClaimRole:
    """A rule that gives *role* to administrators with *value* in the claim. For the role of an application owner, *app* is the
    application.
    """

    value: str
    role: str
    app: str | None = None
    app_name: str | None = None


async def read_provider(connection: Connection) -> ProviderRow | None:
    async with connection.cursor(row_factory=class_row(ProviderRow)) as cursor:
        await cursor.execute(
            """select name, issuer, client_id, secret is not null as has_secret, scopes, roles_claim, trusts_email, changed_at, changed_by
            from single_sign_on"""
        )
        return await cursor.fetchone()


async def sealed_secret(connection: Connection) -> bytes | None:
    """Return the envelope of the client secret, or None if there is none."""
    cursor = await connection.execute("select secret from single_sign_on")
    row = await cursor.fetchone()
    return bytes(row[0]) if row and row[0] is not None else None


async def save_provider(
    connection: Connection,
    *,
    name: str,
    issuer: str,
    client_id: str,
    secret: bytes | None,
    scopes: Sequence[str],
    roles_claim: str,
    trusts_email: bool,
    now: datetime,
    actor: str,
) -> None:
    """Store the provider. It replaces the previous one."""
    await connection.execute(
        """insert into single_sign_on (name, issuer, client_id, secret, scopes, roles_claim, trusts_email, changed_at, changed_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (is_only) do update set name = excluded.name, issuer = excluded.issuer, client_id = excluded.client_id,
            secret = excluded.secret, scopes = excluded.scopes, roles_claim = excluded.roles_claim,
            trusts_email = excluded.trusts_email, changed_at = excluded.changed_at, changed_by = excluded.changed_by""",
        (name, issuer, client_id, secret, list(scopes), roles_claim, trusts_email, now, actor),
    )


async def delete_provider(connection: Connection) -> None:
    """Delete the provider with its secret, and the rules for roles."""
    await connection.execute("delete from single_sign_on_role")
    await connection.execute("delete from single_sign_on")


async def read_roles(connection: Connection) -> list[ClaimRole]:
    """Return the rules for roles, by claim value."""
    async with connection.cursor(row_factory=class_row(ClaimRole)) as cursor:
        await cursor.execute(
            """select claim_value as value, role, app::text, application.name as app_name
            from single_sign_on_role left join application on application.id = single_sign_on_role.app
            order by claim_value, role, application.name"""
        )
        return await cursor.fetchall()


async def replace_roles(connection: Connection, roles: Sequence[ClaimRole]) -> None:
    """Delete all rules that give roles, and store *roles* instead."""
    await connection.execute("delete from single_sign_on_role")
    for one in roles:
        await connection.execute(
            "insert into single_sign_on_role (claim_value, role, app) values (%s, %s, %s) on conflict do nothing",
            (one.value, one.role, one.app),
        )


async def use_answer(connection: Connection, state_hash: bytes, *, now: datetime, expires_at: datetime) -> bool:
    """Record that a message was used, so that nobody can use it again. *state_hash* is the hash of the message's state or id. Returns False
    if the message was used before.
    """
    await connection.execute("delete from used_answer where expires_at < %s", (now,))
    cursor = await connection.execute(
        "insert into used_answer (state_hash, expires_at) values (%s, %s) on conflict do nothing",
        (state_hash, expires_at),
    )
    return cursor.rowcount == 1
