"""SQL of trusted issuers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class IssuerRow:
    """An account's trust in one issuer. *hash* identifies the principal that the issuer's tokens act for."""

    key_id: str
    tenant_id: int
    issuer: str
    audience: str
    jwks: Mapping[str, Any]
    hash: bytes
    subject: str | None = None  # the sub, appid or azp of its tokens; None: any


_SELECT = """select k.id::text as key_id, k.tenant_id, i.issuer, i.audience, i.jwks, k.hash, i.subject
    from trusted_issuers i join api_keys k on k.id = i.key_id
    where k.revoked_at is null and (k.expires_at is null or k.expires_at > now())"""


async def insert(
    connection: Connection, key_id: str, *, issuer: str, audience: str, jwks: Mapping[str, Any], subject: str | None
) -> None:
    await connection.execute(
        "insert into trusted_issuers (key_id, issuer, audience, jwks, subject) values (%s, %s, %s, %s::jsonb, %s)",
        (key_id, issuer, audience, orjson.dumps(jwks).decode(), subject),
    )


async def of_token(connection: Connection, issuer: str, audiences: Sequence[str]) -> list[IssuerRow]:
    """Return the trusts of *issuer* for *audiences*: at most one trust for each audience."""
    cursor = connection.cursor(row_factory=class_row(IssuerRow))
    await cursor.execute(
        f"{_SELECT} and i.issuer = %s and i.audience = any(%s)",  # a constant of this module
        (issuer, list(audiences)),
    )
    return await cursor.fetchall()


async def replace(
    connection: Connection, key_id: str, *, jwks: Mapping[str, Any], scopes: Sequence[str], subject: str | None
) -> None:
    """Replace the keys, subject and scopes of a trust. Writing the scopes also notifies every process."""
    await connection.execute(
        "update trusted_issuers set jwks = %s::jsonb, subject = %s where key_id = %s",
        (orjson.dumps(jwks).decode(), subject, key_id),
    )
    await connection.execute("update api_keys set scopes = %s where id = %s", (list(scopes), key_id))
