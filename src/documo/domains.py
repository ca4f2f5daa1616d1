"""Custom API domains: which host names, apart from the public URL's, lead to which account.

A host is served only after its owner proved it by a TXT record, or the operator vouched for it; others get 421.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

import psycopg

from documo.dns_txt import txt_records
from documo.store import domains as table
from documo.store.database import Store
from lockstep.errors import conflict, invalid, not_found

_HOST = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Domain:
    """A host of an account; *proof* is what its TXT record must hold."""

    host: str
    tenant_id: int
    proof: str
    verified: bool

    @property
    def record_name(self) -> str:
        return f"_documo.{self.host}"


async def set_domain(store: Store, tenant_id: int, host: str, *, vouched: bool = False) -> Domain:
    """Add a custom API domain; *vouched* skips the proof. Raises LockstepError for a name that is none or taken."""
    name = host.strip().lower().rstrip(".")
    if not _HOST.match(name):
        raise invalid(
            f"{host[:80]!r} is not a host name", next_step="Write it as scim.example.com, without https:// and path"
        )
    try:
        async with store.control() as connection:
            await table.insert(connection, tenant_id, name, f"documo-proof={secrets.token_hex(16)}", verified=vouched)
    except psycopg.errors.UniqueViolation:
        raise conflict(f"The domain {name} is in use already", next_step="documo domains list") from None
    return await find_domain(store, tenant_id, name)


async def find_domain(store: Store, tenant_id: int, host: str) -> Domain:
    """One of the account's domains. Raises LockstepError when it is not."""
    for domain in await list_domains(store, tenant_id):
        if domain.host == host.strip().lower():
            return domain
    raise not_found(f"The account has no domain {host[:80]!r}", next_step="documo domains list")


async def list_domains(store: Store, tenant_id: int) -> list[Domain]:
    """The account's domains by name."""
    async with store.control() as connection:
        return [Domain(*row) for row in await table.rows(connection, tenant_id)]


async def remove_domain(store: Store, tenant_id: int, host: str) -> None:
    """Stop serving a domain. Raises LockstepError when it is not the account's."""
    domain = await find_domain(store, tenant_id, host)
    async with store.control() as connection:
        await table.delete(connection, tenant_id, domain.host)


async def verify_domain(store: Store, tenant_id: int, host: str, *, name_server: str | None = None) -> Domain:
    """Look for the proof in DNS and serve the domain from then on. Raises LockstepError with the records that were seen."""
    domain = await find_domain(store, tenant_id, host)
    seen = await txt_records(domain.record_name, name_server=name_server)
    if domain.proof not in seen:
        raise conflict(
            f"{domain.record_name} does not hold the proof yet",
            why=f"Seen: {', '.join(seen[:3]) or 'no TXT record'}",
            next_step=f"Add the TXT record {domain.record_name} with the value {domain.proof}, then verify again",
        )
    async with store.control() as connection:
        await table.mark_verified(connection, tenant_id, domain.host)
    return await find_domain(store, tenant_id, host)
