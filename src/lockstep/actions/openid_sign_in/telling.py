"""Answer two kinds of requests about a token: user info for an access token, and the revocation of a token (RFC 7009)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.openid_sign_in.authenticating import authenticated
from lockstep.actions.openid_sign_in.client import application_of, note_fault
from lockstep.actions.openid_sign_in.redeeming import claims_of_grant
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.credentials.issued_secrets import hash_of
from lockstep.openid.claims import released
from lockstep.openid.faults import OAuthError, OAuthFault, RefusalReason
from lockstep.openid.requests import Pairs, single
from lockstep.openid.tokens import OURS
from lockstep.storage import openid_grants


@open_to_all
async def user_info(context: Context, access_token: str, *, origin: str) -> dict[str, Any]:
    """Return the claims about the person for whom the token was issued, as they are now.

    Raises OAuthFault if the token is unknown, revoked or expired, or if the person may no longer use the application.
    """
    async with context.recording() as connection:
        token = await openid_grants.read_token(connection, hash_of(access_token))
        grant = await openid_grants.read_grant(connection, token.grant_id) if token and not token.is_refresh else None
        within = replace(context, within=connection)
        app = await application_of(within, grant.app, origin=origin) if grant else None
        if token is None or grant is None or app is None:
            raise OAuthFault(
                OAuthError.INVALID_TOKEN, RefusalReason.UNKNOWN_TOKEN, "The access token is unknown or was revoked"
            )
        if context.now() >= token.expires_at:
            raise OAuthFault(OAuthError.INVALID_TOKEN, RefusalReason.TOKEN_EXPIRED, "The access token has expired")
        try:
            claims = await claims_of_grant(context, connection, app, grant.person)
        except OAuthFault as fault:
            raise OAuthFault(OAuthError.INVALID_TOKEN, fault.reason, fault.detail) from None
    told = released(claims.attributes, claims.groups, token.scopes)
    return {"sub": grant.subject, **{name: value for name, value in told.items() if name not in OURS}}


@open_to_all
async def revoke(context: Context, authorization: str, pairs: Pairs, *, visitor: Visitor, origin: str) -> None:
    """Revoke a token of the application. Revoking a refresh token also revokes all other tokens of the same grant; revoking an access token
    revokes only that token. An unknown token is not an error.

    Raises OAuthFault if the application did not authenticate.
    """
    try:
        form = single(pairs)
        app = await authenticated(context, authorization, form, visitor=visitor, origin=origin)
    except OAuthFault as fault:
        await note_fault(context, visitor, None, fault)
        raise
    token_hash = hash_of(form.get("token", ""))
    async with context.recording() as connection:
        token = await openid_grants.read_token(connection, token_hash)
        grant = await openid_grants.read_grant(connection, token.grant_id) if token else None
        if token is None or grant is None or grant.app != app.id:
            return
        if token.is_refresh:
            await openid_grants.end_grant(connection, grant.id)
        else:
            await openid_grants.end_access(connection, token_hash)
