"""Resolve a request's credential: the key, its owner, and the tenant with its schemas and roles.

Entries are cached until the database reports a change. While no reports can arrive, entries are cached for five seconds at most.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from documo.access.api_keys import hash_of, looks_like_jwt
from documo.accounts import TenantAccount, account_of
from documo.scim_service.request.rate import TokenBucket
from documo.store import accounts as accounts_table
from documo.store import domains as domains_table
from documo.store import events as events_table
from documo.store import keys as keys_table
from documo.store.database import Store
from documo.store.keys import KeyPrincipal
from documo.tenant_schemas import registry_of
from lockstep.scim.profiles import Profile, profile_named
from lockstep.scim.registry import SchemaRegistry

TRUST_SECONDS = 60.0  # lifetime of an entry while notifications arrive
BLIND_SECONDS = 5.0  # lifetime while no notifications arrive


@dataclass(frozen=True, slots=True)
class ScimTenant:
    """One account, with all data that is needed to serve its requests."""

    account: TenantAccount
    registry: SchemaRegistry
    roles: tuple[tuple[str, str], ...]
    profile: Profile
    bucket: TokenBucket
    has_streams: bool = False  # whether the account has event streams

    @property
    def id(self) -> int:
        return self.account.id


@dataclass(frozen=True, slots=True)
class TenantCaller:
    """A valid key and its tenant."""

    principal: KeyPrincipal
    tenant: ScimTenant


class Tenants:
    """The cache of callers, tenants and domains. The task `listen` must run as long as the cache is used."""

    def __init__(self, store: Store, *, rate_override: int | None = None) -> None:
        self._store = store
        self._rate_override = rate_override
        self._callers: dict[bytes, tuple[float, TenantCaller]] = {}
        self._tenants: dict[int, tuple[float, ScimTenant]] = {}
        self._buckets: dict[int, TokenBucket] = {}
        self._domains: tuple[float, dict[str, int]] | None = None
        self._trust = BLIND_SECONDS
        self._generation = 0

    async def caller(self, token: bytes) -> TenantCaller | None:
        """Return the caller behind a bearer token, or None if the token is unknown, expired or revoked.

        Raises ScimError 401, with the reason, for a signed token (JWT) that is not accepted.
        """
        known = self._callers.get(token)
        if known is not None and known[0] > time.monotonic():
            expires_at = known[1].principal.expires_at
            if expires_at is None or expires_at > datetime.now(UTC):
                return known[1]
        self._callers.pop(token, None)
        return await self._look_up(token)

    async def domain_owner(self, host: str) -> int | None:
        """Return the tenant that owns the verified custom domain *host*, or None."""
        if self._domains is not None and self._domains[0] >= time.monotonic():
            return self._domains[1].get(host)
        generation, until = self._generation, time.monotonic() + self._trust
        async with self._store.control() as connection:
            domains = await domains_table.verified(connection)
        if generation == self._generation:  # otherwise a change arrived during the read, which may have missed it
            self._domains = until, domains
        return domains.get(host)

    async def tenant(self, tenant_id: int) -> ScimTenant:
        """Return the tenant with this id. Raises LookupError if there is none."""
        known = self._tenants.get(tenant_id)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        generation, until = self._generation, time.monotonic() + self._trust
        async with self._store.tenant(tenant_id) as connection:
            row = await accounts_table.account_with_id(connection, tenant_id)
            roles = await accounts_table.role_rows(connection, tenant_id)
            streams = await events_table.rows(connection, tenant_id)
        if row is None:
            raise LookupError(tenant_id)
        account = account_of(row)
        tenant = ScimTenant(
            account,
            registry_of(account.custom),
            tuple(roles),
            profile_named(account.profile),
            self._bucket(account),
            has_streams=bool(streams),
        )
        if generation == self._generation:
            self._tenants[tenant_id] = until, tenant
        return tenant

    def forget(self) -> None:
        """Clear the cache; the next request reads the database."""
        self._generation += 1
        self._callers.clear()
        self._tenants.clear()
        self._domains = None

    async def listen(self) -> None:
        """Receive the database's reports of changes until cancelled. While that fails, entries are cached for five seconds only."""
        while True:
            async for _ in self._store.notices("documo_changed"):
                self.forget()
                self._trust = TRUST_SECONDS
            self._trust = BLIND_SECONDS
            self.forget()
            await asyncio.sleep(0.5)

    async def _look_up(self, token: bytes) -> TenantCaller | None:
        generation, until = self._generation, time.monotonic() + self._trust
        async with self._store.control() as connection:
            principal = await keys_table.principal(connection, hash_of(token))
        if principal is None and looks_like_jwt(token):
            from documo.access.trusted_issuers import principal_of  # most processes never see a JWT

            principal = await principal_of(self._store, token)
        if principal is None:
            return None
        caller = TenantCaller(principal, await self.tenant(principal.tenant_id))
        if generation == self._generation:
            if len(self._callers) > 10_000:
                self._callers.clear()
            self._callers[token] = until, caller
        return caller

    def _bucket(self, account: TenantAccount) -> TokenBucket:
        rate = account.rate_per_second if self._rate_override is None else self._rate_override
        burst = account.rate_burst if self._rate_override is None else max(1, 2 * rate)
        bucket = self._buckets.get(account.id)
        if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
            bucket = self._buckets[account.id] = TokenBucket(rate, burst)
        return bucket
