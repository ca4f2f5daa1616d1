"""API keys. A key is shown once, when it is created, and stored as a hash.

A key belongs to a member and stops working when the member is removed. Only an Admin's key may provision, whatever its scopes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from documo.access.scopes import DEFAULT_SCOPES, checked_scopes
from documo.identifiers import new_id, new_key, read_id
from documo.members import known_role
from documo.store import keys as table
from documo.store import members as members_table
from documo.store.database import Store
from lockstep.errors import conflict, invalid, not_found

MOST_NAME = 100  # characters


@dataclass(frozen=True, slots=True)
class NewKey:
    """An API key that was just created. The secret is available only here."""

    id: str
    name: str
    prefix: str
    secret: str = field(repr=False)
    scopes: tuple[str, ...]
    expires_at: datetime | None


def hash_of(secret: str | bytes) -> bytes:
    """Return the hash under which a key is stored. A fast hash is sufficient, because a key has 256 random bits."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()


def looks_like_jwt(token: bytes) -> bool:
    """Whether *token* has the form of a JWS (RFC 7515, section 3.1), which API keys never have."""
    return token.startswith(b"eyJ") and token.count(b".") == 2


def checked_name(name: str) -> str:
    """Return the name of a key, or "key" if none is given. Raises LockstepError if the name cannot be shown on one line."""
    if len(name) > MOST_NAME or not name.isprintable():
        raise invalid(f"A key needs a name of at most {MOST_NAME} characters, without control characters")
    return name or "key"


async def create_key(
    store: Store,
    tenant_id: int,
    *,
    name: str = "",
    member: str = "",
    role: str = "",
    scopes: Sequence[str] = DEFAULT_SCOPES,
    expires_in: timedelta | None = None,
    kind: str = "key",
    created_by: str | None = None,
) -> NewKey:
    """Create a key for *member* or, if *member* is "", for the first active member with *role*. *created_by* is the person who requests the
    key.

    Raises LockstepError if there is no such member or the member is not active.
    """
    checked = checked_scopes(scopes)
    expires_at = datetime.now(UTC) + expires_in if expires_in else None
    secret = new_key()
    async with store.tenant(tenant_id) as connection:
        owner = await owner_of_key(connection, tenant_id, member=member, role=role)
        made = NewKey(new_id(), checked_name(name), secret[:12], secret, checked, expires_at)
        await table.insert(connection, tenant_id, owner, made, hash_of(secret), kind=kind, created_by=created_by)
    return made


async def owner_of_key(connection: table.Connection, tenant_id: int, *, member: str, role: str) -> str:
    """Return the id of *member* or, if *member* is "", of the first active member with *role* ("" means Admin).

    Raises LockstepError if there is no such member, or if the member is not active. (A key for an inactive member would start to work
    unnoticed when the member is activated.)
    """
    if member:
        owner = await members_table.find_member(connection, tenant_id, member)
        missing, cure = f"There is no member {member[:200]!r}", "documo members list"
        if owner is not None and not (await members_table.member_row(connection, tenant_id, owner))["active"]:
            raise conflict(
                f"{member[:200]} is not active, and a key works only while its member is active",
                next_step="documo members enable MEMBER, or choose another member",
            )
    else:
        known = await known_role(connection, tenant_id, role or "Admin")
        owner = await members_table.find_with_role(connection, tenant_id, known)
        missing = f"No active member has the role {known}"
        cure = f"documo members enable MEMBER, undelete MEMBER, or set-role MEMBER {known}"
    if owner is None:
        raise not_found(missing, next_step=cure)
    return owner


async def list_keys(store: Store, tenant_id: int) -> list[table.KeyRow]:
    """List the account's keys, oldest first, without their secrets."""
    async with store.control() as connection:
        return await table.rows(connection, tenant_id)


async def revoke_key(store: Store, tenant_id: int, which: str) -> table.KeyRow:
    """Revoke the key with this id, name or prefix at once, and return it. Raises LockstepError if none or several match."""
    async with store.control() as connection:
        key = await _one_key(connection, tenant_id, which)
        await table.revoke(connection, tenant_id, key.id)
    return key


async def requests_by_key(store: Store, tenant_id: int) -> dict[str, int]:
    """Return how many requests each key has made in the seven days that the request log covers."""
    async with store.tenant(tenant_id) as connection:
        return await table.requests_by_key(connection, tenant_id)


async def rotate_key(
    store: Store, tenant_id: int, which: str, *, overlap: timedelta, created_by: str | None = None
) -> NewKey:
    """Create a new key with the owner and scopes of the old key *which*. The old key stays valid for *overlap*."""
    secret = new_key()
    async with store.control() as connection:
        old = await _one_key(connection, tenant_id, which)
        made = NewKey(new_id(), old.name, secret[:12], secret, tuple(old.scopes), old.expires_at)
        await table.insert(
            connection, tenant_id, old.member_id, made, hash_of(secret), kind=old.kind, created_by=created_by
        )
        await table.expire(connection, tenant_id, old.id, datetime.now(UTC) + overlap)
    return made


async def _one_key(connection: table.Connection, tenant_id: int, which: str) -> table.KeyRow:
    keys = [key for key in await table.rows(connection, tenant_id) if key.revoked_at is None]
    wanted = read_id(which)
    found = [key for key in keys if key.id == wanted] or [key for key in keys if key.name == which]
    found = found or [key for key in keys if len(which) >= 8 and key.prefix.startswith(which[:12])]
    if len(found) != 1:
        what = "There is no key" if not found else f"{len(found)} keys match"
        raise not_found(f"{what} {which[:40]!r}", next_step="documo keys list, then use the id")
    return found[0]
