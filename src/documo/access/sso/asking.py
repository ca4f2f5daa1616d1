"""Ask the account's provider to sign somebody in (SAML profiles, section 4.1.4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from documo.access.sso.addresses import service_address
from documo.access.sso.providers import own_key, provider_of
from documo.store import sso_requests as table
from documo.store.database import Store
from documo.store.sso_requests import RequestRow
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.saml.bindings import post_fields, redirect_url
from lockstep.saml.identifiers import new_id
from lockstep.saml.requests import AuthnRequest, write_authn_request

REQUEST_LASTS = timedelta(minutes=15)  # a person may have to find a second factor
REFERENCE_LENGTH = 32  # characters


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to bring to the provider: *url* to open or, if there are *fields*, to send them to as a form.

    *browser_secret* is kept in the browser, so that the response helps nobody else.
    """

    url: str
    fields: Mapping[str, str]
    browser_secret: str = field(repr=False)


async def ask(store: Store, tenant_id: int, *, api_url: str, back: str = "/", tested_by: str = "") -> Asked:
    """Begin a sign-in that leads to the page *back*, or the test of an Admin. Raises LockstepError if the account has no provider."""
    provider = (await provider_of(store, tenant_id)).row
    service, now = await service_address(store, tenant_id, api_url), datetime.now(UTC)
    request = AuthnRequest(
        id=new_id(),
        issuer=service.entity_id,
        destination=provider.sign_in_url,
        reply_url=service.reply_url,
        issued_at=now,
        force_authn=bool(tested_by),
    )
    browser_secret, reference = new_secret(), new_secret()[:REFERENCE_LENGTH]
    row = RequestRow(request.id, reference, tenant_id, hash_of(browser_secret), service.reply_url, back, tested_by)
    async with store.control() as connection:
        await table.remove_expired(connection, now)
        await table.insert_request(connection, row, now + REQUEST_LASTS)
    key = await own_key(store, tenant_id) if provider.requests_signed else None
    message = write_authn_request(request)
    if provider.requests_by_post:
        fields = post_fields(message, field="SAMLRequest", relay_state=reference, key=key)
        return Asked(provider.sign_in_url, fields, browser_secret)
    url = redirect_url(provider.sign_in_url, message=message, field="SAMLRequest", relay_state=reference, key=key)
    return Asked(url, {}, browser_secret)
