"""Answer a SAML request, or begin a sign-in from My Apps: find out who is signed in, decide whether the person may sign in, and sign the
response.

A person who is not assigned sees a page of Lockstep, and the application receives no response.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.outcomes import SignInCode, Visitor
from lockstep.actions.person_sign_in.sessions import (
    PROVIDER,
    REENTERED,
    PersonCaller,
    caller_of_person,
    person_or_refusal,
)
from lockstep.actions.saml_sign_in.asking import CheckedRequest, opened
from lockstep.actions.saml_sign_in.contexts import class_for
from lockstep.actions.saml_sign_in.noting import note_saml, refuse, saml_application
from lockstep.actions.single_sign_on.claims import AssertionClaims
from lockstep.actions.single_sign_on.issuing import SIGNINGS, ApplicationSso, claims_for, signing_key_of
from lockstep.actions.single_sign_on.keys import readable_certificates
from lockstep.configuration.single_sign_on import NameIdKind
from lockstep.errors import LockstepError
from lockstep.saml.bindings import post_fields
from lockstep.saml.certificates import SigningKey
from lockstep.saml.identifiers import new_id
from lockstep.saml.names import Status
from lockstep.saml.responses import Assertion, failed_response, signed_response
from lockstep.storage import person_credentials, session_applications
from lockstep.storage.session_applications import SessionApplication


@dataclass(frozen=True, slots=True)
class SignInFirst:
    """Result: the person must sign in before the request can be answered. *again* is true if somebody is signed in, but the
    application asks for a new sign-in (ForceAuthn).
    """

    again: bool


@dataclass(frozen=True, slots=True)
class ApplicationStart:
    """Result: the browser must open *url*, where the application starts the sign-in."""

    app: str
    url: str


@dataclass(frozen=True, slots=True)
class ResponseForm:
    """Result: the browser must post *fields* to *url*, where the application receives the response."""

    app: str
    url: str
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotAssigned:
    """Result: the person has no access to the application. If *is_off* is true, nobody has access. *contact* names somebody to ask
    for access, or is "".
    """

    app: str
    contact: str
    is_off: bool = False


@open_to_all
async def answer_request(
    context: Context, app: str, sealed: str, secret: str, *, visitor: Visitor, origin: str, browser: str
) -> SignInFirst | ResponseForm | NotAssigned:
    """Answer the request in *sealed* for the person whose session has this *secret*. *browser* is the secret of the browser that brought
    the request.

    Raises LockstepError if the request is too old, if it came in another browser, or if no assertion can be made. The sign-in log has the
    reason.
    """
    facts = await saml_application(context, app, origin=origin)
    asked = opened(context, facts, sealed, browser)
    caller = await caller_of_person(context, secret)
    if caller is not None and caller.lacks_factor:
        caller = None
    is_again = caller is not None and asked.force_authn and not _is_fresh(caller, asked)
    if caller is None or is_again:
        if not asked.is_passive:
            return SignInFirst(is_again)
        return await _failed(context, visitor, facts, asked, None, SignInCode.NO_PASSIVE, Status.NO_PASSIVE)
    return await _signed_in(context, visitor, facts, asked, caller)


@open_to_all
async def launch(
    context: Context, app: str, secret: str, *, visitor: Visitor, origin: str
) -> ApplicationStart | ResponseForm | NotAssigned:
    """Open an application from My Apps: at its Sign on URL, or with an unsolicited response if the application has no Sign on URL.

    Raises LockstepError if the session has ended, or if no assertion can be made.
    """
    caller = await person_or_refusal(context, secret)
    facts = await saml_application(context, app, origin=origin)
    settings = facts.settings
    if not settings.is_enabled:
        return await _not_assigned(context, visitor, facts, caller)
    if not settings.sign_on_url:
        begun_at, audience = context.now().timestamp(), settings.identifiers[0]
        asked = CheckedRequest(facts.app, facts.reply_url(), settings.relay_state, begun_at, audience)
        return await _signed_in(context, visitor, facts, asked, caller)
    if settings.assignment_required and not (await _claims(context, visitor, facts, caller)).is_assigned:
        return await _not_assigned(context, visitor, facts, caller)
    return ApplicationStart(facts.display_name, settings.sign_on_url)


async def _signed_in(
    context: Context, visitor: Visitor, facts: ApplicationSso, asked: CheckedRequest, caller: PersonCaller
) -> ResponseForm | NotAssigned:
    if not facts.settings.is_enabled:
        return await _not_assigned(context, visitor, facts, caller)
    claims = await _claims(context, visitor, facts, caller)
    if facts.assignment_required and not claims.is_assigned:
        return await _not_assigned(context, visitor, facts, caller)
    context_class = class_for(caller.methods, asked.contexts, asked.comparison)
    if context_class is None:
        code, status = SignInCode.NO_AUTHN_CONTEXT, Status.NO_AUTHN_CONTEXT
        return await _failed(context, visitor, facts, asked, caller, code, status)
    if asked.name_id_format not in ("", NameIdKind.UNSPECIFIED.urn, claims.name_id_format.urn):
        code, status = SignInCode.WRONG_NAME_ID_FORMAT, Status.INVALID_NAME_ID_POLICY
        return await _failed(context, visitor, facts, asked, caller, code, status)
    key = await _key(context, visitor, facts, caller)
    index = new_id()
    assertion = Assertion(
        issuer=facts.endpoints.identifier,
        audience=asked.audience,
        recipient=asked.reply_url,
        name_id=claims.name_id,
        name_id_format=claims.name_id_format.urn,
        issued_at=context.now(),
        attributes=claims.attributes,
        in_response_to=asked.id,
        session_index=index,
        session_lifetime=caller.expires_at - context.now(),
        context_class=context_class,
        authenticated_at=caller.signed_in_at,
    )
    encrypt_to = readable_certificates(facts.settings.encryption_certificate)
    response = signed_response(
        assertion, key, signing=SIGNINGS[facts.settings.signing], encrypt_to=encrypt_to[0] if encrypt_to else None
    )
    row = SessionApplication(caller.session, facts.app, claims.name_id, claims.name_id_format.urn, index)
    async with context.recording() as connection:
        await session_applications.note_application(connection, row, context.now())
    await note_saml(context, visitor, facts, caller=caller, methods=caller.methods)
    return _posted(facts, asked, response)


def _is_fresh(caller: PersonCaller, asked: CheckedRequest) -> bool:
    """Whether the person entered credentials after the application asked for a new sign-in. A sign-in through a provider counts only if the
    provider had to ask for the credentials (REENTERED).
    """
    is_entered = PROVIDER not in caller.methods or REENTERED in caller.methods
    return is_entered and caller.signed_in_at >= asked.asked_at


async def _claims(context: Context, visitor: Visitor, facts: ApplicationSso, caller: PersonCaller) -> AssertionClaims:
    try:
        return await claims_for(context, facts.app, caller.person)
    except LockstepError as wrong:
        raise await refuse(context, visitor, facts, wrong, caller=caller) from None


async def _key(context: Context, visitor: Visitor, facts: ApplicationSso, caller: PersonCaller | None) -> SigningKey:
    try:
        return await signing_key_of(context, facts.app)
    except LockstepError as wrong:
        raise await refuse(context, visitor, facts, wrong, caller=caller) from None


async def _failed(
    context: Context,
    visitor: Visitor,
    facts: ApplicationSso,
    asked: CheckedRequest,
    caller: PersonCaller | None,
    code: SignInCode,
    status: Status,
) -> ResponseForm:
    """Return a SAML response that tells the application why there is no assertion, and write the failure to the sign-in log."""
    key = await _key(context, visitor, facts, caller)
    asked_for = f"It asked for {', '.join(asked.contexts) or asked.name_id_format or 'a response without a page'}"
    await note_saml(context, visitor, facts, caller=caller, code=code, detail=asked_for)
    response = failed_response(
        asked.id, asked.reply_url, facts.endpoints.identifier, status, "The application's sign-in request cannot be fulfilled", key,
        now=context.now(),
    )  # fmt: skip
    return _posted(facts, asked, response)


def _posted(facts: ApplicationSso, asked: CheckedRequest, response: bytes) -> ResponseForm:
    fields = post_fields(response, field="SAMLResponse", relay_state=asked.relay_state)
    return ResponseForm(facts.display_name, asked.reply_url, fields)


async def _not_assigned(context: Context, visitor: Visitor, facts: ApplicationSso, caller: PersonCaller) -> NotAssigned:
    is_off = not facts.settings.is_enabled
    code = SignInCode.APPLICATION_DISABLED if is_off else SignInCode.NOT_ASSIGNED
    await note_saml(context, visitor, facts, caller=caller, code=code, methods=caller.methods)
    async with context.recording() as connection:
        setting = await person_credentials.read_setting(connection)
    return NotAssigned(facts.display_name, setting.contact, is_off)
