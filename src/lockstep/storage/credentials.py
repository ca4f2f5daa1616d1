"""The tenant URL of an application, and the sealed secret that authenticates requests to it.

The secret cannot be read back: only code that builds an Authorization header may call `sealed_secret`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """The credentials without the secret, as they may be shown."""

    app: str
    tenant_url: str
    has_secret: bool
    last_four: str | None
    set_at: datetime | None
    set_by: str | None
    tested_at: datetime | None
    test_result: Mapping[str, Any] | None
    authentication: str = "bearer"
    client_id: str = ""
    token_url: str = ""
    scope: str = ""


async def read_credential(connection: Connection, app: str) -> CredentialRow | None:
    return (await read_credentials(connection, [app])).get(app)


async def read_credentials(connection: Connection, apps: Sequence[str]) -> dict[str, CredentialRow]:
    """Return the credentials of *apps* by application; applications without credentials are absent."""
    async with connection.cursor(row_factory=class_row(CredentialRow)) as cursor:
        await cursor.execute(
            """select app::text, tenant_url, secret is not null as has_secret, last_four, set_at, set_by, tested_at, test_result,
                authentication, client_id, token_url, scope
            from credential where app = any(%s::uuid[])""",
            (list(apps),),
        )
        return {row.app: row for row in await cursor.fetchall()}


async def with_secret(connection: Connection, apps: Sequence[str]) -> frozenset[str]:
    """Return the applications in *apps* that have a secret."""
    cursor = await connection.execute(
        "select app::text from credential where app = any(%s::uuid[]) and secret is not null", (list(apps),)
    )
    return frozenset(row[0] for row in await cursor.fetchall())


@dataclass(frozen=True, slots=True)
class SealedCredential:
    """Everything that authenticates requests to an application. *secret* is the envelope of the secret token."""

    tenant_url: str
    secret: bytes
    authentication: str
    client_id: str
    token_url: str
    scope: str


async def sealed_credential(connection: Connection, app: str) -> SealedCredential | None:
    """Return the credential, or None if no secret is stored."""
    async with connection.cursor(row_factory=class_row(SealedCredential)) as cursor:
        await cursor.execute(
            """select tenant_url, secret, authentication, client_id, token_url, scope from credential
            where app = %s and secret is not null""",
            (app,),
        )
        return await cursor.fetchone()


async def sealed_secret(connection: Connection, app: str) -> bytes | None:
    """Return the envelope of the secret token, or None if no secret is stored."""
    cursor = await connection.execute("select secret from credential where app = %s", (app,))
    row = await cursor.fetchone()
    return bytes(row[0]) if row and row[0] is not None else None


async def sealed_secrets(connection: Connection) -> list[tuple[str, str, bytes]]:
    """Return the name and id of every application that has a secret token, each with the envelope of the token."""
    cursor = await connection.execute(
        """select application.name, application.id::text, credential.secret
        from credential join application on application.id = credential.app where secret is not null order by name"""
    )
    return [(name, app, bytes(envelope)) for name, app, envelope in await cursor.fetchall()]


async def forget_secret(connection: Connection, app: str) -> None:
    await connection.execute(
        "update credential set secret = null, last_four = null, set_at = null, set_by = null where app = %s", (app,)
    )


async def save_tenant_url(connection: Connection, app: str, tenant_url: str, *, keeps_secret: bool) -> None:
    """Store the tenant URL and clear the result of *Test connection*. Unless *keeps_secret* is true, also delete the secret, in the same
    statement.
    """
    await connection.execute(
        """insert into credential (app, tenant_url) values (%(app)s, %(url)s)
        on conflict (app) do update set tenant_url = excluded.tenant_url, tested_at = null, test_result = null,
            secret = case when %(keeps)s then credential.secret end,
            last_four = case when %(keeps)s then credential.last_four end,
            set_at = case when %(keeps)s then credential.set_at end, set_by = case when %(keeps)s then credential.set_by end""",
        {"app": app, "url": tenant_url, "keeps": keeps_secret},
    )


async def save_authentication(
    connection: Connection, app: str, *, method: str, client_id: str, token_url: str, scope: str
) -> None:
    """Store how requests are authenticated, and clear the result of *Test connection*. The row of the credentials must exist."""
    await connection.execute(
        """update credential set authentication = %s, client_id = %s, token_url = %s, scope = %s, tested_at = null, test_result = null
        where app = %s""",
        (method, client_id, token_url, scope, app),
    )


async def save_secret(connection: Connection, app: str, sealed: bytes, *, last_four: str, actor: str) -> None:
    await connection.execute(
        """update credential set secret = %s, last_four = %s, set_at = now(), set_by = %s, tested_at = null, test_result = null
        where app = %s""",
        (sealed, last_four, actor, app),
    )


async def save_test_result(connection: Connection, app: str, result: Mapping[str, Any]) -> None:
    """Store the result of *Test connection*."""
    await connection.execute(
        "update credential set tested_at = now(), test_result = %s where app = %s", (as_json(result), app)
    )
