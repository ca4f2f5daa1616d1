"""Read and check requests of applications to sign a person in (AuthnRequest). A checked request is kept encrypted in the address of the
page until the person has signed in.

Nothing in a request is used before its issuer and its reply URL have been compared with the registered ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hmac import compare_digest

import orjson

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.saml_sign_in.noting import refuse, saml_application
from lockstep.actions.single_sign_on.issuing import ApplicationSso
from lockstep.actions.single_sign_on.keys import readable_certificates
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.errors import Kind, LockstepError, conflict
from lockstep.saml.bindings import ReceivedMessage, read_post, read_redirect
from lockstep.saml.certificates import Certificate
from lockstep.saml.faults import FaultCode, fault
from lockstep.saml.requests import AuthnRequest, read_authn_request
from lockstep.vault import Secret

VALID = timedelta(minutes=30)  # from request to response: the person may have to find their phone for a code
SKEW, OLDEST = timedelta(minutes=3), timedelta(minutes=15)
_PURPOSE = "request of an application"
_MOST_CONTEXTS, _LONGEST_ID, _LONGEST_CONTEXT = 20, 256, 300


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """The part of a checked request that is kept. *id* is "" for a sign-in that no application requested. *browser* is a digest of the
    secret of the browser that brought the request.
    """

    app: str
    reply_url: str
    relay_state: str
    at: float
    audience: str
    id: str = ""
    force_authn: bool = False
    is_passive: bool = False
    name_id_format: str = ""
    contexts: tuple[str, ...] = ()
    comparison: str = "exact"
    browser: str = ""

    @property
    def asked_at(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """A checked request, encrypted as *sealed* for use in an address. It is accepted only from the browser that has the secret
    *browser*.
    """

    sealed: str
    browser: str = field(repr=False)


@open_to_all
async def receive_query(
    context: Context, app: str, raw_query: str, *, visitor: Visitor, origin: str, browser: str = ""
) -> SealedRequest:
    """Check a request that came by HTTP-Redirect. *browser* is the secret that the browser has from an earlier request.

    Raises LockstepError for an invalid request. The error does not tell the person what is wrong.
    """
    facts = await saml_application(context, app, origin=origin)
    try:
        return _received(
            context, _checked(context, facts, read_redirect(raw_query, certificates=keys_of(facts))), browser
        )
    except LockstepError as wrong:
        raise await refuse(context, visitor, facts, wrong) from None


@open_to_all
async def receive_form(
    context: Context, app: str, form: Mapping[str, str], *, visitor: Visitor, origin: str, browser: str = ""
) -> SealedRequest:
    """Check a request that came by HTTP-POST, as `receive_query` does."""
    facts = await saml_application(context, app, origin=origin)
    try:
        return _received(context, _checked(context, facts, read_post(form, certificates=keys_of(facts))), browser)
    except LockstepError as wrong:
        raise await refuse(context, visitor, facts, wrong) from None


def opened(context: Context, facts: ApplicationSso, sealed: str, browser: str) -> CheckedRequest:
    """Return the request in *sealed*. Raises LockstepError if Lockstep did not create it, if it belongs to another application or
    browser, or if it is too old.
    """
    try:
        envelope = bytes.fromhex(sealed)
        asked = CheckedRequest(**orjson.loads(context.vault.open(envelope, purpose=_PURPOSE, name=facts.app).reveal()))
    except (ValueError, TypeError, LockstepError):
        raise _too_old() from None
    if context.now() >= asked.asked_at + VALID or asked.reply_url not in facts.settings.reply_urls:
        raise _too_old()
    if not compare_digest(asked.browser, _digest(browser)):
        raise _too_old()
    return asked


def _received(context: Context, asked: CheckedRequest, browser: str) -> SealedRequest:
    secret = browser or new_secret()
    return SealedRequest(_sealed(context, replace(asked, browser=_digest(secret))), secret)


def _digest(browser: str) -> str:
    return hash_of(browser).hex()


def _sealed(context: Context, asked: CheckedRequest) -> str:
    return context.vault.seal(Secret(orjson.dumps(asked).decode()), purpose=_PURPOSE, name=asked.app).hex()


def keys_of(facts: ApplicationSso) -> list[Certificate]:
    return [one for text in facts.settings.request_certificates for one in readable_certificates(text)]


def _checked(context: Context, facts: ApplicationSso, incoming: ReceivedMessage) -> CheckedRequest:
    """Check that the request comes from the application and is meant for Lockstep. Returns the part of the request that is kept for the
    response. Raises LockstepError if a check fails.
    """
    if incoming.field != "SAMLRequest":
        raise fault(FaultCode.NOT_EXPECTED_MESSAGE, expected="SAMLRequest", received=incoming.field)
    request = read_authn_request(incoming.message)
    settings, login_url, now = facts.settings, facts.endpoints.login_url, context.now()
    if request.issuer not in settings.identifiers:
        raise fault(FaultCode.WRONG_ISSUER, expected=", ".join(settings.identifiers), received=request.issuer)
    if settings.requires_signed_requests and not incoming.signed:
        raise fault(FaultCode.NOT_SIGNED, expected="a request signed with a key of the application", received="none")
    # A signed request must name its destination, otherwise it could be one that was sent to another provider (bindings, section 3.4.5.2).
    if (request.destination or incoming.signed) and request.destination != login_url:
        raise fault(FaultCode.WRONG_DESTINATION, expected=login_url, received=request.destination or "none")
    if not now - OLDEST <= request.issued_at <= now + SKEW:
        expected = f"issued between {(now - OLDEST).isoformat()} and {(now + SKEW).isoformat()}"
        raise fault(FaultCode.EXPIRED, expected=expected, received=request.issued_at.isoformat())
    _refuse_too_much(request)
    return CheckedRequest(
        facts.app, _reply_url(facts, request), incoming.relay_state, now.timestamp(), request.issuer, request.id,
        request.force_authn, request.is_passive, request.name_id_format, request.contexts, request.contexts_comparison,
    )  # fmt: skip


def _reply_url(facts: ApplicationSso, request: AuthnRequest) -> str:
    """Return the reply URL to which the response is sent. If the application has several reply URLs, a request that names a URL only by its
    index is refused, because the indexes in the application's metadata are not stored.
    """
    if request.reply_index is not None and not request.reply_url and len(facts.settings.reply_urls) > 1:
        raise conflict(
            f"{facts.display_name} asked Lockstep to send the response to reply URL number {request.reply_index}",
            why="Several reply URLs are registered, and Lockstep does not number them",
            next_step="Configure the application to send the reply URL instead of its number",
            code="UnknownReplyUrl",
        )
    return facts.reply_url(request.reply_url)


def _refuse_too_much(request: AuthnRequest) -> None:
    """Raise an error if the request is too large to be kept in an address, whose length is limited."""
    longest = max((len(one) for one in request.contexts), default=0)
    if len(request.id) > _LONGEST_ID or len(request.contexts) > _MOST_CONTEXTS or longest > _LONGEST_CONTEXT:
        raise fault(FaultCode.TOO_LARGE, expected=f"at most {_MOST_CONTEXTS} contexts, and short ids", received="more")


def _too_old() -> LockstepError:
    return LockstepError(
        Kind.INVALID,
        "This sign-in is no longer valid",
        why="It was started too long ago or in another browser, or the application's settings have changed",
        next_step="Go back to the application and sign in again",
    )
