"""SQL of API keys, and of the principal behind a credential."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection

__all__ = ["Connection", "EndedKey", "KeyPrincipal", "KeyRow"]


class _NewKey(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def prefix(self) -> str: ...
    @property
    def secret(self) -> str: ...
    @property
    def scopes(self) -> tuple[str, ...]: ...
    @property
    def expires_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as shown in lists."""

    id: str
    name: str
    kind: str
    prefix: str
    last_four: str
    scopes: Sequence[str]
    member_id: str
    created_by: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str | None
    last_used_agent: str | None


@dataclass(frozen=True, slots=True)
class KeyPrincipal:
    """The caller behind a valid key. *role* is the effective role of the key's owner. For a token, *issued_by* is the key that the token
    was issued for.
    """

    key_id: str
    tenant_id: int
    member_id: str
    scopes: frozenset[str]
    role: str
    expires_at: datetime | None
    kind: str
    issued_by: str | None = None

    @property
    def lasting_key(self) -> str:
        """The id of the key in the account's list. For a token, this is the key that the token was issued for."""
        return self.issued_by or self.key_id


@dataclass(frozen=True, slots=True)
class EndedKey:
    """A key that is no longer valid. For a token, this is the key that the token was issued for."""

    key_id: str
    tenant_id: int


async def insert(
    connection: Connection,
    tenant_id: int,
    member_id: str,
    key: _NewKey,
    digest: bytes,
    *,
    kind: str,
    client_id: str | None = None,
    created_by: str | None = None,
) -> None:
    await connection.execute(
        "insert into api_keys (id, tenant_id, member_id, name, hash, prefix, last_four, scopes, kind, expires_at, client_id,"
        " created_by) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            key.id, tenant_id, member_id, key.name, digest, key.prefix, key.secret[-4:], list(key.scopes), kind,
            key.expires_at, client_id, created_by,
        ),
    )  # fmt: skip


async def rows(connection: Connection, tenant_id: int) -> list[KeyRow]:
    cursor = connection.cursor(row_factory=class_row(KeyRow))
    await cursor.execute(
        "select id::text, name, kind, prefix, last_four, scopes, member_id::text, created_by, created_at, expires_at, revoked_at,"
        " last_used_at, last_used_address, last_used_agent from api_keys where tenant_id = %s and kind <> 'token'"
        " order by created_at, id",
        (tenant_id,),
    )
    return await cursor.fetchall()


async def requests_by_key(connection: Connection, tenant_id: int) -> dict[str, int]:
    """Return the number of requests in the request log for each key. A request with a token counts for the key that the token was issued
    for. Must run in the tenant's transaction.
    """
    cursor = await connection.execute(
        "select coalesce(k.client_id, k.id)::text, sum(l.requests)::bigint from (select key_id, count(*) as requests"
        " from request_log where tenant_id = %s and key_id is not null group by key_id) l join api_keys k on k.id = l.key_id"
        " group by 1",
        (tenant_id,),
    )
    return {str(key): int(requests) for key, requests in await cursor.fetchall()}


async def may_provision(connection: Connection, tenant_id: int) -> bool:
    """Whether the account has a key that may write users. Must run in the tenant's transaction."""
    cursor = await connection.execute(
        "select 1 from api_keys k join resources r on r.tenant_id = k.tenant_id and r.id = k.member_id where k.tenant_id = %s"
        " and k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and k.scopes && array['scim:users', 'admin']"
        " and k.kind <> 'token' and r.active and r.deleted_at is null limit 1",
        (tenant_id,),
    )
    return await cursor.fetchone() is not None


async def revoke(connection: Connection, tenant_id: int, key_id: str) -> None:
    """Revoke a key and the tokens issued for it."""
    await connection.execute(
        "update api_keys set revoked_at = now() where tenant_id = %s and (id = %s or client_id = %s) and revoked_at is null",
        (tenant_id, key_id, key_id),
    )


async def expire(connection: Connection, tenant_id: int, key_id: str, at: datetime) -> None:
    """Make a key, and the tokens issued for it, expire at the time *at* unless they expire earlier."""
    await connection.execute(
        "update api_keys set expires_at = least(expires_at, %s) where tenant_id = %s and (id = %s or client_id = %s)",
        (at, tenant_id, key_id, key_id),
    )


async def principal(connection: Connection, digest: bytes) -> KeyPrincipal | None:
    """Return the principal of the key with this hash. Returns None if the key is unknown or no longer valid, or if its owner is inactive
    or deleted.
    """
    cursor = await connection.execute(
        "select k.id::text, k.tenant_id, k.member_id::text, k.scopes, k.expires_at, k.kind, a.default_role,"
        " k.client_id::text from api_keys k join accounts a on a.id = k.tenant_id"
        " where k.hash = %s and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())",
        (digest,),
    )
    key = await cursor.fetchone()
    if key is None:
        return None
    await connection.execute("select set_config('documo.tenant', %s, true)", (str(key[1]),))
    cursor = await connection.execute(
        "select role from resources where tenant_id = %s and id = %s and active and deleted_at is null",
        (key[1], key[2]),
    )
    owner = await cursor.fetchone()
    if owner is None:
        return None
    return KeyPrincipal(key[0], key[1], key[2], frozenset(key[3]), owner[0] or key[6], key[4], key[5], key[7])


async def ended(connection: Connection, digest: bytes) -> EndedKey | None:
    """Return the key with this hash, or the key for which the token with this hash was issued. Returns None unless that key is revoked or
    expired. An expired token whose key is still valid gives None, because tokens expire in normal operation.
    """
    cursor = connection.cursor(row_factory=class_row(EndedKey))
    await cursor.execute(
        "select o.id::text as key_id, o.tenant_id from api_keys k join api_keys o on o.id = coalesce(k.client_id, k.id)"
        " where k.hash = %s and (o.revoked_at is not null or o.expires_at <= now())",
        (digest,),
    )
    return await cursor.fetchone()


async def note_use(connection: Connection, uses: Iterable[tuple[str, datetime, str, str]]) -> None:
    """Store the last use of keys. *uses* are (key id, time, address, user agent), in order of time. An older use does not replace a newer
    one.

    The use of a token counts as a use of the key that the token was issued for.
    """
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "update api_keys set last_used_at = %s, last_used_address = %s, last_used_agent = %s"
            " where id = (select coalesce(client_id, id) from api_keys where id = %s)"
            " and (last_used_at is null or last_used_at <= %s)",
            [(at, address, agent, key_id, at) for key_id, at, address, agent in uses],
        )


async def remove_expired_tokens(connection: Connection) -> None:
    await connection.execute("delete from api_keys where kind = 'token' and expires_at < now() - interval '1 day'")
