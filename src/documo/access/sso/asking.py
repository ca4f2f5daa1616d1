"""Send a sign-in request to the account's provider (SAML profiles, section 4.1.4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from documo.access.sso.addresses import service_address
from documo.access.sso.own_keys import signing_key
from documo.access.sso.providers import provider_of
from documo.access.sso.requests import SignInHost, new_request, request_key
from documo.store.database import Store
from lockstep.saml.bindings import post_fields, redirect_url
from lockstep.saml.requests import AuthnRequest, write_authn_request


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A request that the browser takes to the provider. The browser opens *url* or, if there are *fields*, posts them to *url*.

    *browser_secret* is stored in the browser, so that no other browser can use the response.
    """

    url: str
    fields: Mapping[str, str]
    browser_secret: str = field(repr=False)


async def ask(
    store: Store, tenant_id: int, *, api_url: str, place: SignInHost, is_test: bool = False, is_again: bool = False
) -> ProviderRequest:
    """Begin a sign-in, or a test by an Admin. Stores nothing. Raises LockstepError if the account has no provider.

    If *is_test* or *is_again* is true, the provider must ask for the credentials even if it already has a session for the browser.
    """
    provider = (await provider_of(store, tenant_id)).row
    service, now = await service_address(store, tenant_id, api_url), datetime.now(UTC)
    begun = new_request(await request_key(store), tenant_id, place, is_test=is_test, now=now)
    request = AuthnRequest(
        id=begun.id,
        issuer=service.entity_id,
        destination=provider.sign_in_url,
        reply_url=service.reply_url,
        issued_at=now,
        force_authn=is_test or is_again,
    )
    key = await signing_key(store, tenant_id) if provider.requests_signed else None
    message = write_authn_request(request)
    if provider.requests_by_post:
        fields = post_fields(message, field="SAMLRequest", relay_state=begun.reference, key=key)
        return ProviderRequest(provider.sign_in_url, fields, begun.browser_secret)
    url = redirect_url(provider.sign_in_url, message=message, field="SAMLRequest", relay_state=begun.reference, key=key)
    return ProviderRequest(url, {}, begun.browser_secret)
