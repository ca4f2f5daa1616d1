"""The two messages of a sign-in as a trial shows them: the request that the application sends, and the response of Lockstep.

The response has the form of a real one, but its signature value is left out, and the signing key is one that no application trusts. The
response therefore signs nobody in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from lockstep.actions.saml_sign_in.contexts import PROTECTED_PASSWORD
from lockstep.actions.single_sign_on.claims import AssertionClaims
from lockstep.actions.single_sign_on.issuing import SIGNINGS
from lockstep.actions.single_sign_on.keys import readable_certificates
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.saml.certificates import SigningKey, new_signing_key
from lockstep.saml.identifiers import new_id
from lockstep.saml.requests import AuthnRequest, write_authn_request
from lockstep.saml.responses import Assertion, signed_response
from lockstep.saml.showing import MessagePart, readable, signed_parts, without_signatures

SESSION = timedelta(hours=12)


def request_of(view: SignOnView, now: datetime) -> AuthnRequest | None:
    """Return the request of an application that begins the sign-in; None if Lockstep begins it, or if settings are missing."""
    settings = view.settings
    if not (settings.sign_on_url and settings.identifiers and settings.reply_urls):
        return None
    return AuthnRequest(new_id(), settings.identifiers[0], view.endpoints.login_url, settings.reply_urls[0], now)


def readable_request(request: AuthnRequest | None) -> str:
    return readable(write_authn_request(request)) if request is not None else ""


async def response_to(
    request: AuthnRequest | None, view: SignOnView, claims: AssertionClaims, now: datetime
) -> Sequence[MessagePart]:
    """Return the response for the person described by *claims*. The response is empty if no assertion can be made."""
    settings = view.settings
    if not (settings.identifiers and settings.reply_urls and claims.name_id) or claims.problems:
        return ()
    assertion = Assertion(
        issuer=view.endpoints.identifier,
        audience=settings.identifiers[0],
        recipient=settings.reply_urls[0],
        name_id=claims.name_id,
        name_id_format=claims.name_id_format.urn,
        issued_at=now,
        attributes=claims.attributes,
        in_response_to=request.id if request is not None else "",
        session_index=new_id(),
        session_lifetime=SESSION,
        context_class=PROTECTED_PASSWORD,
    )
    active = next((readable_certificates(one.certificate)[0] for one in view.certificates if one.is_active), None)
    key = await asyncio.to_thread(_key_of_nobody)
    return signed_parts(without_signatures(signed_response(assertion, key, signing=SIGNINGS[settings.signing]), active))


@cache
def _key_of_nobody() -> SigningKey:
    """Return a key that replaces the signing key in a trial. Creating a key takes up to a second, so each process creates only one."""
    return new_signing_key("Nobody", now=datetime(2000, 1, 1, tzinfo=UTC))
