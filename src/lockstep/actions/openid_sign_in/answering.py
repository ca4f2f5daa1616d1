"""Answer an authorization request: find out who is signed in, decide whether the person may use the application, and issue the code.

A response is sent only to a redirect URI that is registered for the application. A person who is not assigned sees a page of Lockstep
instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from uuid import uuid4

import orjson

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.openid_sign_in.client import OpenIdApplication, application_of, note, note_fault
from lockstep.actions.person_sign_in.outcomes import SignInCode, Visitor
from lockstep.actions.person_sign_in.sessions import PROVIDER, REENTERED, PersonCaller
from lockstep.actions.saml_sign_in.answering import NotAssigned
from lockstep.actions.saml_sign_in.noting import did_not_work
from lockstep.actions.single_sign_on.openid_keys import published_keys
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.errors import LockstepError, conflict
from lockstep.openid.faults import OAuthError, OAuthFault, RefusalReason
from lockstep.openid.grants import CODE_VALID
from lockstep.openid.requests import (
    AuthorizationRequest,
    Pairs,
    ReplyTo,
    ResponseMode,
    answer_fields,
    answer_url,
    read_request,
    reply_to,
    single,
)
from lockstep.openid.tokens import read_hint
from lockstep.postgres.pool import Connection
from lockstep.storage import openid_grants, person_credentials
from lockstep.vault import Secret

VALID = timedelta(minutes=30)  # from request to response: the person may have to find their phone for a code
_PURPOSE, _NAME = "OpenID Connect request", "request"
_MOST_PAIRS, _LONGEST = 40, 4_096


@dataclass(frozen=True, slots=True)
class OpenidSignInFirst:
    """Result: the person must sign in first. *again* is true if somebody is signed in, but the application asks for a new sign-in.

    *sealed* is the encrypted request, to be passed to `resume`. *browser* is a secret to store in the browser: `resume` accepts the request
    only together with this secret. *name* is the user name that the application expects, or "".
    """

    sealed: str
    browser: str = field(repr=False)
    again: bool
    name: str = ""


@dataclass(frozen=True, slots=True)
class ResponseToApplication:
    """Result: the browser must be sent to *url* with the response. If there are *fields*, the browser posts them as a form."""

    app: str
    url: str = field(repr=False)
    fields: Mapping[str, str] = field(repr=False, default_factory=dict)


OpenIdSignInResult = OpenidSignInFirst | ResponseToApplication | NotAssigned


@open_to_all
async def authorize(
    context: Context, pairs: Pairs, caller: PersonCaller | None, *, visitor: Visitor, origin: str, browser: str = ""
) -> OpenIdSignInResult:
    """Answer the authorization request whose parameters are *pairs*. *caller* is the signed-in person, or None. *browser* is the secret
    that an earlier request stored in the browser, or "".

    Raises LockstepError, to be shown on a page, if it is not safe to send a response to the application.
    """
    return await _answer(
        context, pairs, context.now(), caller, visitor=visitor, origin=origin, browser=browser or new_secret()
    )


@open_to_all
async def resume(
    context: Context, sealed: str, caller: PersonCaller | None, *, visitor: Visitor, origin: str, browser: str
) -> OpenIdSignInResult:
    """Continue the authorization request in *sealed* after the person has signed in. Raises LockstepError if the request is too old, if
    Lockstep did not seal it, or if it was sealed for a browser with another secret than *browser*.
    """
    try:
        opened = context.vault.open(bytes.fromhex(sealed), purpose=_PURPOSE, name=_NAME).reveal()
        at, pairs, digest = orjson.loads(opened)
    except (ValueError, LockstepError):
        raise _too_old() from None
    asked_at = datetime.fromtimestamp(at, UTC)
    if context.now() >= asked_at + VALID or not compare_digest(digest, _digest(browser)):
        raise _too_old()
    return await _answer(
        context,
        [(name, value) for name, value in pairs],
        asked_at,
        caller,
        visitor=visitor,
        origin=origin,
        browser=browser,
    )


async def _answer(
    context: Context, pairs: Pairs, asked_at: datetime, caller: PersonCaller | None, *, visitor: Visitor, origin: str,
    browser: str,
) -> OpenIdSignInResult:  # fmt: skip
    app: OpenIdApplication | None = None
    try:
        given = single(pairs)
        if len(pairs) > _MOST_PAIRS or sum(len(name) + len(value) for name, value in pairs) > _LONGEST:
            raise OAuthFault(OAuthError.INVALID_REQUEST, RefusalReason.TOO_LONG, "The request is too long")
        app = await application_of(context, given.get("client_id", ""), origin=origin)
        if app is None:
            raise OAuthFault(
                OAuthError.INVALID_REQUEST, RefusalReason.UNKNOWN_CLIENT, "client_id is missing or unknown"
            )
        reply = reply_to(given, app.rules)
    except OAuthFault as fault:
        await note_fault(context, visitor, app, fault)
        raise did_not_work() from None
    try:
        request = read_request(given, app.rules, reply)
        expected = await _expected(context, app, request)
    except OAuthFault as fault:
        await note_fault(context, visitor, app, fault)
        return _refused(app, reply, fault)
    if caller is not None and caller.lacks_factor:
        caller = None
    if caller is None or not _is_fresh(caller, request, asked_at):
        if request.is_passive:
            return await _told(
                context, visitor, app, reply, OAuthError.LOGIN_REQUIRED, RefusalReason.NO_PASSIVE, "No one is signed in"
            )
        kept = orjson.dumps([asked_at.timestamp(), list(pairs), _digest(browser)]).decode()
        sealed = context.vault.seal(Secret(kept), purpose=_PURPOSE, name=_NAME).hex()
        return OpenidSignInFirst(sealed, browser, again=caller is not None, name=request.login_hint)
    return await _signed_in(context, visitor, app, request, caller, expected)


async def _expected(context: Context, app: OpenIdApplication, request: AuthorizationRequest) -> str:
    """Return the subject that the application expects, or "" if it accepts anybody. Raises OAuthFault if the request has an `id_token_hint`
    that is not an ID token of Lockstep for this application.
    """
    if not request.id_token_hint:
        return ""
    hint = read_hint(request.id_token_hint, await published_keys(context), issuer=app.issuer)
    if hint.client != app.id:
        detail = "id_token_hint was not issued to the application"
        raise OAuthFault(OAuthError.INVALID_REQUEST, RefusalReason.WRONG_ID_TOKEN_HINT, detail)
    return hint.subject


async def _signed_in(
    context: Context, visitor: Visitor, app: OpenIdApplication, request: AuthorizationRequest, caller: PersonCaller, expected: str
) -> ResponseToApplication | NotAssigned:  # fmt: skip
    if not app.settings.is_enabled:
        return await _no_access(context, visitor, app, request, caller, RefusalReason.APPLICATION_DISABLED)
    code = ""
    try:
        async with context.recording() as connection:
            claims = await app.claims_about(context, connection, caller.person)
            is_assigned = claims.is_assigned or not app.settings.assignment_required
            is_expected = expected in ("", claims.name_id)
            if is_assigned and is_expected:
                code = await _new_code(context, connection, visitor, app, request, caller)
    except LockstepError as wrong:
        await note(
            context, visitor, app, person=caller.person, person_display=caller.user_principal_name,
            code=SignInCode.CLAIMS_UNUSABLE, detail=f"{wrong.detail}. {wrong.why}",
        )  # fmt: skip
        raise did_not_work() from None
    if not is_assigned:
        return await _no_access(context, visitor, app, request, caller, RefusalReason.NOT_ASSIGNED)
    if not is_expected:
        detail = "Another person is signed in"
        reason = RefusalReason.OTHER_PERSON
        return await _told(context, visitor, app, request.reply, OAuthError.LOGIN_REQUIRED, reason, detail, caller)
    if not code:
        fault = OAuthFault(OAuthError.LOGIN_REQUIRED, RefusalReason.SESSION_ENDED, "The session has ended")
        await note_fault(context, visitor, app, fault)
        return _refused(app, request.reply, fault)
    return _sent(app, request.reply, code=code)


async def _new_code(
    context: Context, connection: Connection, visitor: Visitor, app: OpenIdApplication, request: AuthorizationRequest,
    caller: PersonCaller,
) -> str:  # fmt: skip
    """Store a code for the application, and the record of the sign-in. Returns the code, or "" if the session has ended."""
    code, sign_in = new_secret(), str(uuid4())
    is_stored = await openid_grants.insert_code(
        connection, hash_of(code), app=app.id, session=caller.session, redirect_uri=request.reply.redirect_uri,
        scopes=request.scopes, nonce=request.nonce, challenge=request.challenge, expires_at=context.now() + CODE_VALID,
        sign_in=sign_in,
    )  # fmt: skip
    if not is_stored:
        return ""
    await note(
        replace(context, within=connection), visitor, app, person=caller.person,
        person_display=caller.user_principal_name, methods=caller.methods, id=sign_in,
    )  # fmt: skip
    return code


def _is_fresh(caller: PersonCaller, request: AuthorizationRequest, asked_at: datetime) -> bool:
    """Whether the person entered their credentials recently enough for *request*. A sign-in through a provider counts only if the provider
    had to ask for the credentials (REENTERED); otherwise the provider may have used an existing session.
    """
    if not request.enters_again and request.max_age is None:
        return True
    is_entered = PROVIDER not in caller.methods or REENTERED in caller.methods
    oldest = asked_at if request.enters_again else asked_at - timedelta(seconds=request.max_age or 0)
    return is_entered and caller.signed_in_at >= oldest


async def _told(
    context: Context, visitor: Visitor, app: OpenIdApplication, reply: ReplyTo, error: OAuthError, reason: RefusalReason, detail: str,
    caller: PersonCaller | None = None,
) -> ResponseToApplication:  # fmt: skip
    fault = OAuthFault(error, reason, detail)
    await note_fault(
        context, visitor, app, fault, person=caller.person if caller else None,
        person_display=caller.user_principal_name if caller else "",
    )  # fmt: skip
    return _refused(app, reply, fault)


def _refused(app: OpenIdApplication, reply: ReplyTo, fault: OAuthFault) -> ResponseToApplication:
    return _sent(app, reply, error=fault.error, error_description=fault.detail)


def _sent(app: OpenIdApplication, reply: ReplyTo, **answer: str) -> ResponseToApplication:
    fields = answer_fields(app.issuer, reply, **answer)
    if reply.mode is ResponseMode.FORM_POST:
        return ResponseToApplication(app.display_name, reply.redirect_uri, fields)
    return ResponseToApplication(app.display_name, answer_url(reply, fields))


async def _no_access(
    context: Context, visitor: Visitor, app: OpenIdApplication, request: AuthorizationRequest, caller: PersonCaller,
    reason: RefusalReason,
) -> ResponseToApplication | NotAssigned:  # fmt: skip
    """Return the outcome for a person who has no access: a page that shows the person the reason, or the response `access_denied` if the
    request does not allow showing a page.
    """
    if request.is_passive:
        detail = "The person has no access to the application"
        return await _told(context, visitor, app, request.reply, OAuthError.ACCESS_DENIED, reason, detail, caller)
    return await no_access_page(context, visitor, app, caller, reason)


async def no_access_page(
    context: Context, visitor: Visitor, app: OpenIdApplication, caller: PersonCaller, reason: RefusalReason
) -> NotAssigned:
    """Log why the person may not sign in to the application, and return the page that the person sees."""
    await note(
        context, visitor, app, person=caller.person, person_display=caller.user_principal_name, code=reason,
        methods=caller.methods,
    )  # fmt: skip
    async with context.recording() as connection:
        setting = await person_credentials.read_setting(connection)
    return NotAssigned(app.display_name, setting.contact, is_off=reason is RefusalReason.APPLICATION_DISABLED)


def _digest(browser: str) -> str:
    return hash_of(browser).hex()


def _too_old() -> LockstepError:
    return conflict("This sign-in is too old", next_step="Open the application again", code="SignInTooOld")
