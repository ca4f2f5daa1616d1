"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): an application sends the browser here to sign the person out."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.openid_sign_in.client import OpenIdApplication, application_of, issuer_of, note_fault
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import caller_of_person
from lockstep.actions.saml_sign_in.noting import did_not_work
from lockstep.actions.single_sign_on.openid_keys import published_keys
from lockstep.openid.faults import OAuthError, OAuthFault, RefusalReason
from lockstep.openid.requests import LONGEST_TOKEN, Pairs, ReplyTo, answer_url, single
from lockstep.openid.tokens import read_hint


@dataclass(frozen=True, slots=True)
class LogoutAsked:
    """A logout request of an application. *is_sure* is true if the application proved with an ID token that it means the session of this
    browser.

    *back* is the address to which the browser goes afterwards, or "" for Lockstep's own page.
    """

    app: str
    is_sure: bool
    is_signed_in: bool
    back: str


@open_to_all
async def logout_asked(context: Context, pairs: Pairs, secret: str, *, visitor: Visitor, origin: str) -> LogoutAsked:
    """Read a logout request, without ending the session. Raises LockstepError if Lockstep did not issue the ID token in `id_token_hint` to
    the application, or if the address to return to is not registered for the application.
    """
    app: OpenIdApplication | None = None
    try:
        given = single(pairs, longest=LONGEST_TOKEN)  # an ID token grows with the groups
        hint = None
        if token := given.get("id_token_hint", ""):
            hint = read_hint(token, await published_keys(context), issuer=await issuer_of(context, origin))
        client = given.get("client_id", hint.client if hint else "")
        app = await application_of(context, client, origin=origin)
        if hint is not None and (app is None or hint.client != app.id):
            detail = "id_token_hint was not issued to the application"
            raise OAuthFault(OAuthError.INVALID_REQUEST, RefusalReason.WRONG_ID_TOKEN_HINT, detail)
        back = given.get("post_logout_redirect_uri", "")
        if back and (app is None or back not in app.openid.post_logout_uris):
            detail = "post_logout_redirect_uri is not registered for the application"
            raise OAuthFault(OAuthError.INVALID_REQUEST, RefusalReason.UNKNOWN_REDIRECT_URI, detail)
    except OAuthFault as fault:
        await note_fault(context, visitor, app, fault)
        raise did_not_work() from None
    caller = await caller_of_person(context, secret)
    is_sure = caller is not None and app is not None and hint is not None and hint.sid == app.sid_of(caller.session)
    state = given.get("state", "")
    address = answer_url(ReplyTo(back), {"state": state}) if back and state else back
    return LogoutAsked(app.display_name if app else "", is_sure, caller is not None, address)
