"""Domains of accounts: host names that serve one account's API or its pages, and email domains whose ownership the account has proved.

A host of the API is served only after its owner has proved ownership with a TXT record, or the operator has vouched for it. Any other host
gets status 421.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg

from documo.domain_tls import CertificateLook, CertificateState, observe_certificate
from documo.store import domains as table
from documo.store.database import Store
from lockstep.errors import LockstepError, conflict, invalid, not_found

API, APP, EMAIL = "api", "app", "email"
_MOST_SEEN, _MOST_TEXT = 5, 200  # how many TXT records are stored for display, and how many characters of each
_HOST = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of an account. *proof* is the text that its TXT record must contain.

    *kind* says what the domain is for: API and APP serve the API and the pages; EMAIL proves an email domain and serves nothing.
    *seen_txt* and *seen_cname* are the records that the name server returned at *checked_at*.
    """

    host: str
    tenant_id: int
    proof: str
    verified: bool
    kind: str = API
    seen_txt: Sequence[str] | None = None
    seen_cname: str | None = None
    checked_at: datetime | None = None
    seen_tls: CertificateState | None = None

    @property
    def record_name(self) -> str:
        return f"_documo.{self.host}"


def url_of(host: str, public_url: str) -> str:
    """Return the URL of a custom domain, with the scheme and port of the public URL."""
    parts = urlsplit(public_url)
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"


async def set_domain(store: Store, tenant_id: int, host: str, *, kind: str = API, vouched: bool = False) -> Domain:
    """Add a domain. *vouched* skips the proof. Several accounts may add the same name; the first account that verifies the name owns it.

    Raises LockstepError for an invalid name, and for a name that the account already has. If *vouched* is true, also raises it for a name
    that another account has verified.
    """
    name = host.strip().lower().rstrip(".")
    if not _HOST.match(name):
        raise invalid(
            f"{host[:80]!r} is not a host name",
            next_step="Write it as scim.example.com, without https:// and without a path",
        )
    try:
        async with store.control() as connection:
            await table.insert(
                connection, tenant_id, name, f"documo-proof={secrets.token_hex(16)}", kind=kind, verified=vouched
            )
    except psycopg.errors.UniqueViolation:
        own = [one for one in await list_domains(store, tenant_id) if one.host == name]
        raise _is_there(own[0]) if own else _in_use(name) from None
    return await find_domain(store, tenant_id, name)


async def find_domain(store: Store, tenant_id: int, host: str) -> Domain:
    """Return the account's domain *host*. Raises LockstepError if the account has no such domain."""
    for domain in await list_domains(store, tenant_id):
        if domain.host == host.strip().lower():
            return domain
    raise not_found(f"The account has no domain {host[:80]!r}", next_step="documo domains list")


async def list_domains(store: Store, tenant_id: int) -> list[Domain]:
    """Return the account's domains by name."""
    async with store.control() as connection:
        return [_domain(row) for row in await table.rows(connection, tenant_id)]


def _domain(row: Mapping[str, Any]) -> Domain:
    seen = row["seen_tls"]
    if seen is None:
        return Domain(**row)
    expires_at = datetime.fromisoformat(seen["expires_at"]) if seen["expires_at"] else None
    return Domain(**{**row, "seen_tls": CertificateState(**{**seen, "expires_at": expires_at})})


async def remove_domain(store: Store, tenant_id: int, host: str) -> None:
    """Stop serving a domain. Raises LockstepError if the account has no such domain."""
    domain = await find_domain(store, tenant_id, host)
    async with store.control() as connection:
        await table.delete(connection, tenant_id, domain.host)


async def verify_domain(
    store: Store, tenant_id: int, host: str, *, name_server: str | None = None, look: CertificateLook | None = None
) -> Domain:
    """Check the proof in DNS and serve the domain from then on. If the proof is missing, raises LockstepError with the records that were
    found. Also raises LockstepError if another account has verified the name.

    The CNAME record is looked up only to be shown. It is not required, because a domain can point to Documo in other ways. If *look* is
    given, the certificate of a domain that serves something is checked too. A bad certificate does not prevent the verification.
    """
    from documo.dns_txt import cname_record, txt_records  # a server or command seldom asks a name server

    domain = await find_domain(store, tenant_id, host)
    seen = await txt_records(domain.record_name, name_server=name_server)
    cname = await cname_record(domain.host, name_server=name_server)
    shown = [text[:_MOST_TEXT] for text in seen[:_MOST_SEEN]]
    async with store.control() as connection:
        await table.note_answer(connection, tenant_id, domain.host, shown, cname[:_MOST_TEXT])
    if look is not None and domain.kind != EMAIL:
        state = await observe_certificate(domain.host, look, name_server=name_server)
        async with store.control() as connection:
            await table.note_certificate(connection, tenant_id, domain.host, asdict(state))
    if domain.proof not in seen:
        raise conflict(
            f"{domain.record_name} does not contain the proof yet",
            why=f"Found: {', '.join(shown[:3]) or 'no TXT record'}",
            next_step=f"Add the TXT record {domain.record_name} with the value {domain.proof}, then verify again",
        )
    try:
        async with store.control() as connection:
            await table.mark_verified(connection, tenant_id, domain.host)
    except psycopg.errors.UniqueViolation:
        raise _in_use(domain.host) from None
    return await find_domain(store, tenant_id, host)


def _is_there(own: Domain) -> LockstepError:
    """Return the error about a domain that the account already has."""
    use = {API: "for the API", APP: "for the app", EMAIL: "as an email domain"}[own.kind]
    step = f"verify it: documo domains verify {own.host}. To" if not own.verified else "to"
    return conflict(
        f"The account already has the domain {own.host} {use}, and it is {'verified' if own.verified else 'not verified yet'}",
        next_step=f"{step[0].upper()}{step[1:]} use it for something else, remove it first: documo domains remove {own.host}",
    )


def _in_use(host: str) -> LockstepError:
    return conflict(f"Another account has the domain {host}", next_step="If it is yours, ask Documo's support")
