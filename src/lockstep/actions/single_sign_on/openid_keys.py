"""The keys that sign tokens for all applications that use OpenID Connect. They are created here, stored encrypted, and published before
they sign.

Applications cache the public keys for a while. The next key is therefore published from the start, and a retired key stays published
until its tokens have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from joserfc.jwk import RSAKey

from lockstep.actions.access import needs, open_to_all
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.errors import Kind, LockstepError, conflict
from lockstep.openid.tokens import SigningJwk, public_jwk, signing_jwk
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log, openid_keys
from lockstep.storage.locks import lock_openid_keys
from lockstep.storage.openid_keys import ACTIVE, NEXT, OpenIdKeyRow
from lockstep.vault import Secret

PURPOSE = "OpenID Connect signing key"
KEY_BITS = 3072
CACHED = timedelta(hours=1)  # how long applications may cache our keys
_PUBLISHED_AFTER = timedelta(days=2)  # longer than any session whose ID tokens are sent back as hints


@dataclass(frozen=True, slots=True)
class OpenIdKey:
    """A key as administrators see it. *state* is active, next or retired."""

    kid: str
    state: str
    published_at: datetime
    retired_at: datetime | None


async def ensure_openid_keys(context: Context, connection: Connection) -> None:
    """Create the first two keys if there are none."""
    await lock_openid_keys(connection)
    known = {row.state for row in await openid_keys.read_keys(connection)}
    for state in (ACTIVE, NEXT):
        if state not in known:
            await _make(context, connection, state)


@open_to_all
async def published_keys(context: Context) -> list[dict[str, Any]]:
    """Return the public keys: the active key, the next one, and those retired recently."""
    async with context.recording() as connection:
        rows = await openid_keys.read_keys(connection)
    return [dict(row.public_key) for row in rows]


@needs(Permission.DIRECTORY_READ)
async def list_openid_keys(context: Context) -> list[OpenIdKey]:
    """Return the keys without their secrets, the active one first."""
    async with context.reading() as connection:
        return _shown(await openid_keys.read_keys(connection))


@needs(Permission.ORGANISATION_WRITE)
async def roll_openid_keys(context: Context, *, is_compromised: bool = False) -> list[OpenIdKey]:
    """Make the next key active, and publish a new next key. If *is_compromised* is true, the former key is withdrawn, and everything that
    it signed is refused.

    Raises LockstepError if the next key was published so recently that applications may not know it yet. A compromised key is replaced even
    then.
    """
    now = context.now()
    async with context.recording() as connection:
        await ensure_openid_keys(context, connection)
        known = await openid_keys.read_keys(connection)
        upcoming = next(row for row in known if row.state == NEXT)
        if now < upcoming.published_at + CACHED and not is_compromised:
            raise conflict(
                "The next key was published less than an hour ago, so applications may not have it yet",
                next_step=f"Wait until {upcoming.published_at + CACHED:%H:%M} UTC. If the active key was leaked, do not wait: "
                "lockstep sso keys roll --compromised",
            )
        await openid_keys.activate_next(connection, now)
        await openid_keys.delete_retired(connection, now + timedelta(1) if is_compromised else now - _PUBLISHED_AFTER)
        await _make(context, connection, NEXT)
        await audit_log.append(
            connection, actor=context.actor.name, activity="Roll OpenID Connect signing key", target="OpenID Connect",
            before={"kid": known[0].kid}, after={"kid": upcoming.kid, "compromised": is_compromised},
        )  # fmt: skip
        return _shown(await openid_keys.read_keys(connection))


async def signing_key(context: Context) -> SigningJwk:
    """Return the active key, decrypted. Raises LockstepError if there is none, or if the vault cannot decrypt it."""
    async with context.recording() as connection:
        rows = await openid_keys.read_keys(connection)
    if not rows or rows[0].state != ACTIVE:
        raise LockstepError(
            Kind.CONFLICT, "There is no OpenID Connect signing key", next_step="Create one: lockstep sso keys roll"
        )
    opened = context.vault.open(rows[0].private_key, purpose=PURPOSE, name=rows[0].kid, shown="OpenID Connect")
    return await asyncio.to_thread(_loaded, rows[0].kid, opened.reveal())


@lru_cache(maxsize=2)  # the active key and, during a rollover, the previous one
def _loaded(kid: str, private: str) -> SigningJwk:
    return signing_jwk(kid, orjson.loads(private))


async def _make(context: Context, connection: Connection, state: str) -> None:
    key = await asyncio.to_thread(_new_key)
    sealed = context.vault.seal(
        Secret(orjson.dumps(key.key.as_dict(private=True)).decode()), purpose=PURPOSE, name=key.kid
    )
    await openid_keys.insert_key(
        connection, key.kid, public=public_jwk(key), private=sealed, state=state, now=context.now(),
        actor=context.actor.name,
    )  # fmt: skip


def _new_key() -> SigningJwk:
    """Create a key. Its id is its thumbprint (RFC 7638)."""
    key = RSAKey.generate_key(KEY_BITS, private=True)
    return SigningJwk(key.thumbprint(), key)


def _shown(rows: Sequence[OpenIdKeyRow]) -> list[OpenIdKey]:
    return [OpenIdKey(row.kid, row.state, row.published_at, row.retired_at) for row in rows]
