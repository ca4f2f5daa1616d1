"""The identity provider of an account: set it up by hand or from metadata, enforce it, remove it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from documo.members import ADMIN, known_role
from documo.store import members as members_table
from documo.store import sign_ins as members_at_sign_in
from documo.store import single_sign_on as table
from documo.store import sso_requests
from documo.store.database import Store
from documo.store.single_sign_on import AccountProviderRow
from lockstep.errors import Kind, LockstepError, conflict, invalid, not_found
from lockstep.postgres.pool import Connection
from lockstep.saml.certificates import Certificate, certificates_in
from lockstep.saml.metadata import read_idp_metadata
from lockstep.saml.names import Binding

WARNED = timedelta(days=30)  # this long before a certificate expires, Admins are warned
MAX_TEXT = 2_000
_DOMAIN = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9.\-:\[\]]+\Z")


@dataclass(frozen=True, slots=True)
class SamlSetup:
    """The values that an Admin enters in *Setup SAML*."""

    entity_id: str
    sign_in_url: str
    certificates: str
    email_domain: str = ""
    identity_attribute: str = ""
    logout_url: str = ""
    metadata_url: str = ""
    requests_signed: bool = False
    requests_by_post: bool = False
    allows_unsolicited: bool = True
    allows_sha1: bool = False
    allows_rsa15: bool = False
    creates_members: bool = False
    default_role: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """The identity provider of an account, with parsed certificates."""

    tenant_id: int
    row: AccountProviderRow
    certificates: Sequence[Certificate]

    def ending(self, now: datetime) -> list[Certificate]:
        """Return the certificates that have expired or will expire within 30 days."""
        return [one for one in self.certificates if one.not_after < now + WARNED]


async def find_provider(store: Store, tenant_id: int) -> Provider | None:
    """Return the account's provider, or None if it has none."""
    async with store.tenant(tenant_id) as connection:
        row = await table.read_provider(connection, tenant_id)
    return None if row is None else Provider(tenant_id, row, certificates_in(row.certificates))


async def provider_of(store: Store, tenant_id: int) -> Provider:
    """Return the account's provider. Raises LockstepError if the account has none."""
    found = await find_provider(store, tenant_id)
    if found is None:
        raise not_found(
            "Single sign-on is not set up for this account",
            next_step="Set it up under Account Settings > Security > Configure SSO",
        )
    return found


async def set_up(
    store: Store, tenant_id: int, setup: SamlSetup, *, metadata_read_at: datetime | None = None
) -> Provider:
    """Set up or change the account's provider. Raises LockstepError, and changes nothing, if a value cannot be used.

    *metadata_read_at* is the time when *setup* was filled from the metadata at its address. If it was not, the result of the last daily
    reading stays known, unless the address or the Entity Id changes; the metadata is then due to be read.
    """
    row = await _checked(store, tenant_id, setup)
    async with store.tenant(tenant_id) as connection:
        before = await table.read_provider(connection, tenant_id)
        if metadata_read_at is not None:
            row = replace(row, metadata_read_at=metadata_read_at)
        elif before is not None and (before.metadata_url, before.entity_id) == (row.metadata_url, row.entity_id):
            row = replace(row, metadata_read_at=before.metadata_read_at, metadata_problem=before.metadata_problem)
        await table.save_provider(connection, tenant_id, row)
    return await provider_of(store, tenant_id)


async def remove_provider(store: Store, tenant_id: int) -> None:
    """Remove the provider. Members then sign in with passwords, and sessions that began at the provider end. Raises LockstepError if the
    account has no provider.
    """
    await provider_of(store, tenant_id)
    async with store.tenant(tenant_id) as connection:
        await table.remove_provider(connection, tenant_id)
        await members_at_sign_in.end_provider_sessions(connection, tenant_id)
        await sso_requests.remove_tickets(connection, tenant_id)


async def enforce(store: Store, tenant_id: int, *, break_glass: str) -> None:
    """Require single sign-on. Nobody except *break_glass* can sign in with a password any longer. Sessions that began with a password end,
    except those of *break_glass*.

    *break_glass* is the user name of an active Admin with a password. Without such an Admin, a failure of the provider would lock everybody
    out. Raises LockstepError if *break_glass* is any other member, or if the account has no provider.
    """
    await provider_of(store, tenant_id)
    async with store.tenant(tenant_id) as connection:
        member_id = await members_table.find_member(connection, tenant_id, break_glass)
        member = await members_at_sign_in.read_member(connection, tenant_id, member_id) if member_id else None
        if member is None or not member.active or member.role != ADMIN or member.password_hash is None:
            raise invalid(
                f"{break_glass[:200]!r} cannot be the Admin who signs in without SSO"
                if break_glass
                else "One Admin must be able to sign in without SSO",
                why="If the provider fails, this Admin is the only one who can sign in",
                next_step="Choose an active Admin who has a password",
            )
        await table.save_enforcement(connection, tenant_id, member.id)
        await members_at_sign_in.end_password_sessions(connection, tenant_id, but_of=member.id)


async def stop_enforcing(store: Store, tenant_id: int) -> None:
    await provider_of(store, tenant_id)
    async with store.tenant(tenant_id) as connection:
        await table.save_enforcement(connection, tenant_id, None)


async def refuse_password(connection: Connection, tenant_id: int, member_id: str) -> None:
    """Raise LockstepError if the account enforces single sign-on and this member is not the exempt Admin (*break_glass*)."""
    row = await table.read_provider(connection, tenant_id)
    if row is not None and row.is_enforced and row.break_glass != member_id:
        raise LockstepError(
            Kind.FORBIDDEN,
            "Your account allows sign-in only through your company's identity provider",
            next_step="Use Sign in with SSO",
            code="SsoEnforced",
        )


def setup_of(provider: Provider) -> SamlSetup:
    """Return the provider's settings in the form in which an Admin enters them."""
    row = provider.row
    return SamlSetup(
        entity_id=row.entity_id,
        sign_in_url=row.sign_in_url,
        certificates=row.certificates,
        email_domain=row.email_domain,
        identity_attribute=row.identity_attribute,
        logout_url=row.logout_url,
        metadata_url=row.metadata_url,
        requests_signed=row.requests_signed,
        requests_by_post=row.requests_by_post,
        allows_unsolicited=row.allows_unsolicited,
        allows_sha1=row.allows_sha1,
        allows_rsa15=row.allows_rsa15,
        creates_members=row.creates_members,
        default_role=row.default_role,
    )


def setup_of_metadata(xml: bytes, *, now: datetime) -> SamlSetup:
    """Return the fields that the provider's metadata fills. Raises LockstepError if the document is not the metadata of an identity
    provider, or has expired (SAML metadata, section 2.3.2).
    """
    said = read_idp_metadata(xml)
    if said.valid_until is not None and said.valid_until <= now:
        raise invalid(
            f"The metadata expired on {said.valid_until:%d %b %Y}",
            next_step="Use the current metadata of your identity provider",
        )
    by_post = Binding.REDIRECT not in said.sign_on
    return SamlSetup(
        entity_id=said.entity_id,
        sign_in_url=said.sign_on[Binding.POST if by_post else Binding.REDIRECT],
        certificates="".join(one.pem for one in said.certificates),
        logout_url=said.logout.get(Binding.REDIRECT, ""),
        requests_signed=said.want_authn_requests_signed,
        requests_by_post=by_post,
    )


def filled_from(before: SamlSetup, said: SamlSetup) -> SamlSetup:
    """Return *before* with new values, taken from *said*, in the fields that metadata fills. The address of another provider's metadata is
    dropped.
    """
    return replace(
        before,
        metadata_url=before.metadata_url if before.entity_id == said.entity_id else "",
        entity_id=said.entity_id,
        sign_in_url=said.sign_in_url,
        certificates=said.certificates,
        logout_url=said.logout_url,
        requests_signed=said.requests_signed,
        requests_by_post=said.requests_by_post,
    )


def read_again(row: AccountProviderRow, xml: bytes, *, now: datetime) -> AccountProviderRow:
    """Return *row* updated from its current metadata. Raises LockstepError if the metadata belongs to another provider, or has expired."""
    said = setup_of_metadata(xml, now=now)
    if said.entity_id != row.entity_id:
        raise conflict(
            f"The metadata belongs to a different provider: {said.entity_id[:200]}", why=f"Expected {row.entity_id}"
        )
    return replace(
        row,
        sign_in_url=said.sign_in_url,
        certificates=said.certificates,
        logout_url=said.logout_url,
        requests_signed=said.requests_signed,
        requests_by_post=said.requests_by_post,
        metadata_read_at=now,
        metadata_problem="",
    )


async def _checked(store: Store, tenant_id: int, setup: SamlSetup) -> AccountProviderRow:
    entity_id = _required("Entity Id", setup.entity_id)
    for label, url in (("SSO URL", setup.sign_in_url), ("Logout URL", setup.logout_url)):
        _check_url(label, url.strip(), is_required=label == "SSO URL")
    _check_url("Metadata URL", setup.metadata_url.strip(), is_required=False)
    domain = setup.email_domain.strip().lower().removeprefix("@")
    if domain and not _DOMAIN.match(domain):
        raise invalid(f"{setup.email_domain[:80]!r} is not an email domain", next_step="Write it as example.com")
    certificates = certificates_in(_required("Signer Certificate", setup.certificates, most=64 * 1024))
    role = ""
    if setup.creates_members and setup.default_role.strip():
        async with store.tenant(tenant_id) as connection:
            role = await known_role(connection, tenant_id, setup.default_role.strip())
    return AccountProviderRow(
        entity_id=entity_id,
        sign_in_url=setup.sign_in_url.strip(),
        certificates="".join(one.pem for one in certificates),
        logout_url=setup.logout_url.strip(),
        email_domain=domain,
        identity_attribute=setup.identity_attribute.strip()[:MAX_TEXT],
        requests_signed=setup.requests_signed,
        requests_by_post=setup.requests_by_post,
        metadata_url=setup.metadata_url.strip(),
        allows_unsolicited=setup.allows_unsolicited,
        allows_sha1=setup.allows_sha1,
        allows_rsa15=setup.allows_rsa15,
        creates_members=setup.creates_members,
        default_role=role,
    )


def _required(label: str, text: str, *, most: int = MAX_TEXT) -> str:
    given = text.strip()
    if not given or len(given) > most:
        raise invalid(
            f"{label} is too long" if given else f"{label} is missing",
            next_step="Copy it from your identity provider",
        )
    return given


def _check_url(label: str, url: str, *, is_required: bool) -> None:
    if not url and not is_required:
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    is_address = parts.scheme in ("https", "http") and _HOST_AND_PORT.match(parts.netloc) is not None
    if not is_address or len(url) > MAX_TEXT or not url.isprintable() or " " in url:
        raise invalid(
            f"{label} is not a valid URL" if url else f"{label} is missing",
            next_step="Write it as https://login.example.com/saml2",
        )


async def tenant_for_email(store: Store, email: str) -> int | None:
    """Return the account to which the domain of *email* belongs, or None."""
    domain = domain_of(email)
    if not domain:
        return None
    async with store.control() as connection:
        return await table.tenant_of_domain(connection, domain)


def domain_of(email: str) -> str:
    """Return the domain of an email address, or "" if it has none."""
    _, _, domain = email.strip().lower().rpartition("@")
    return domain if _DOMAIN.match(domain) else ""
