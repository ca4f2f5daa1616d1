"""The account's own keys. The active key signs requests, and assertions may be encrypted to any of the keys.

A key is replaced in three steps, so that no sign-in fails. First, prepare the next key. Make it active when the identity provider has its
certificate. Remove the old key when the provider no longer encrypts to it. The second step can be undone until the third is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from documo.store import sso_keys as table
from documo.store.database import Store
from documo.store.sso_keys import SignOnKeyRow
from lockstep.errors import conflict, not_found
from lockstep.saml.certificates import SigningKey, certificates_in, new_signing_key

WARNED = timedelta(days=30)  # this long before the active certificate expires, Admins are warned
LASTS_YEARS = 10
SHORTEST = 4  # characters of an abbreviated thumbprint


class KeyState(StrEnum):
    """The use of a key. Every key decrypts."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"


@dataclass(frozen=True, slots=True)
class OwnKey:
    """One of the account's keys."""

    state: KeyState
    signing: SigningKey

    @property
    def thumbprint(self) -> str:
        return self.signing.certificate.thumbprint

    @property
    def expires_at(self) -> datetime:
        return self.signing.certificate.not_after

    @property
    def is_active(self) -> bool:
        return self.state == KeyState.ACTIVE

    def warns(self, now: datetime) -> bool:
        """Whether Admins must be warned: the key is active, and its certificate has expired or will expire within 30 days."""
        return self.is_active and self.expires_at < now + WARNED


async def find_own_keys(store: Store, tenant_id: int) -> list[OwnKey]:
    """Return the account's keys, the active one first. The list is empty if the account has not needed a key yet."""
    async with store.tenant(tenant_id) as connection:
        return [_own_key(row) for row in await table.read_keys(connection, tenant_id)]


async def own_keys(store: Store, tenant_id: int) -> list[OwnKey]:
    """Return the account's keys, the active one first. If the account has no key yet, creates the first one."""
    found = await find_own_keys(store, tenant_id)
    if found:
        return found
    made = await _new_row(KeyState.ACTIVE)
    async with store.tenant(tenant_id) as connection:
        rows = await table.read_keys_alone(connection, tenant_id)
        if not rows:
            await table.insert_key(connection, tenant_id, made)
            rows = [made]
    return [_own_key(row) for row in rows]


async def signing_key(store: Store, tenant_id: int) -> SigningKey:
    """Return the key that signs the account's requests."""
    return (await own_keys(store, tenant_id))[0].signing


async def prepare_key(store: Store, tenant_id: int) -> OwnKey:
    """Create the next key. Raises LockstepError if the account already has two keys."""
    await own_keys(store, tenant_id)
    made = await _new_row(KeyState.NEXT)
    async with store.tenant(tenant_id) as connection:
        _, *others = [_own_key(row) for row in await table.read_keys_alone(connection, tenant_id)]
        if others:
            raise _two_already(others[0])
        await table.insert_key(connection, tenant_id, made)
    return _own_key(made)


async def activate_key(store: Store, tenant_id: int, thumbprint: str) -> OwnKey:
    """Sign with the key *thumbprint* from now on. *thumbprint* can be abbreviated.

    Normally, the key that was active becomes the retiring key. If *thumbprint* is the retiring key, the key that was active becomes the
    next key instead. Raises LockstepError if the key is unknown or already active.
    """
    async with store.tenant(tenant_id) as connection:
        keys = [_own_key(row) for row in await table.read_keys_alone(connection, tenant_id)]
        chosen = key_to_activate(keys, thumbprint)
        then = KeyState.RETIRING if chosen.state == KeyState.NEXT else KeyState.NEXT
        await table.exchange_states(connection, tenant_id, active=chosen.thumbprint, then=then)
    return OwnKey(KeyState.ACTIVE, chosen.signing)


async def remove_key(store: Store, tenant_id: int, thumbprint: str) -> OwnKey:
    """Remove a key that is not active. Data that was encrypted with its public key can then no longer be read. *thumbprint* can be
    abbreviated. Raises LockstepError if the key is unknown or active.
    """
    async with store.tenant(tenant_id) as connection:
        keys = [_own_key(row) for row in await table.read_keys_alone(connection, tenant_id)]
        chosen = key_to_remove(keys, thumbprint)
        await table.remove_key(connection, tenant_id, chosen.thumbprint)
    return chosen


def key_to_activate(keys: Sequence[OwnKey], thumbprint: str) -> OwnKey:
    """Return the key in *keys* that `activate_key` would make active. Raises the same errors as `activate_key`."""
    chosen = _chosen(keys, thumbprint)
    if chosen.is_active:
        raise conflict(
            f"The certificate {chosen.thumbprint} is already active", next_step="documo sso keys list shows both"
        )
    return chosen


def key_to_remove(keys: Sequence[OwnKey], thumbprint: str) -> OwnKey:
    """Return the key in *keys* that `remove_key` would remove. Raises the same errors as `remove_key`."""
    chosen = _chosen(keys, thumbprint)
    if chosen.is_active:
        raise conflict(
            f"The certificate {chosen.thumbprint} is active and cannot be removed",
            why="Documo signs its requests with this key",
            next_step="Make another certificate active first",
        )
    return chosen


def _chosen(keys: Sequence[OwnKey], thumbprint: str) -> OwnKey:
    wanted = "".join(thumbprint.split()).upper().replace(":", "")
    found = [key for key in keys if len(wanted) >= SHORTEST and key.thumbprint.startswith(wanted)]
    if len(found) != 1:
        raise not_found(
            f"The account has no certificate {thumbprint[:60]!r}",
            next_step="It may have been removed in the meantime. Choose one from the list: documo sso keys list",
        )
    return found[0]


def _two_already(other: OwnKey) -> Exception:
    if other.state == KeyState.NEXT:
        return conflict(
            f"A new certificate is already prepared: {other.thumbprint}",
            next_step="Give it to your identity provider and make it active, or remove it",
        )
    return conflict(
        f"The old certificate {other.thumbprint} still exists",
        why="An account has at most two certificates",
        next_step="Remove the old one first",
    )


def _own_key(row: SignOnKeyRow) -> OwnKey:
    return OwnKey(KeyState(row.state), SigningKey(certificates_in(row.certificate)[0], row.private_key))


async def _new_row(state: KeyState) -> SignOnKeyRow:
    made = await asyncio.to_thread(
        new_signing_key, "Documo single sign-on", now=datetime.now(UTC), years=LASTS_YEARS
    )  # takes a tenth of a second
    certificate = made.certificate
    return SignOnKeyRow(certificate.thumbprint, state, certificate.pem, made.private_pem, certificate.not_after)
