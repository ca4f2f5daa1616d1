"""The token endpoint: exchange codes and refresh tokens for tokens.

Each code and each refresh token works once. A second use ends all tokens of that sign-in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.openid_sign_in.authenticating import authenticated
from lockstep.actions.openid_sign_in.client import OpenIdApplication, application_of, note_fault
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import CODE, DIRECTORY, PASSKEY, PASSWORD
from lockstep.actions.single_sign_on.claims import AssertionClaims
from lockstep.actions.single_sign_on.openid_keys import signing_key
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.errors import LockstepError
from lockstep.openid.claims import released
from lockstep.openid.faults import OAuthError, OAuthFault, RefusalReason
from lockstep.openid.grants import StoredCode, StoredRefreshToken, check_code, check_refresh, narrowed
from lockstep.openid.requests import OFFLINE, Pairs, single
from lockstep.openid.tokens import id_token
from lockstep.postgres.pool import Connection, pipeline
from lockstep.storage import openid_grants
from lockstep.storage.openid_grants import CodeRow, GrantRow

_IDLE = timedelta(days=14)  # an unused refresh token expires after this time
_METHODS = {PASSWORD: "pwd", DIRECTORY: "pwd", CODE: "otp", PASSKEY: "pop"}


@open_to_all
async def redeem(
    context: Context, authorization: str, pairs: Pairs, *, visitor: Visitor, origin: str
) -> dict[str, Any]:
    """Return the tokens for a code or a refresh token. Raises OAuthFault for a refused request, and writes the reason to the sign-in log.
    Raises LockstepError after too many failures.
    """
    app: OpenIdApplication | None = None
    form: Mapping[str, str] = {}
    try:
        form = single(pairs)
        app = await authenticated(context, authorization, form, visitor=visitor, origin=origin)
        match form.get("grant_type"):
            case "authorization_code":
                return await _redeem_code(context, app, form)
            case "refresh_token":
                return await _refresh(context, app, form)
        raise OAuthFault(
            OAuthError.UNSUPPORTED_GRANT_TYPE,
            RefusalReason.WRONG_GRANT_TYPE,
            "grant_type must be authorization_code or refresh_token",
        )
    except OAuthFault as fault:
        shown = app or await application_of(context, form.get("client_id", ""), origin=origin)
        await note_fault(context, visitor, shown, fault)
        raise


async def claims_of_grant(
    context: Context, connection: Connection, app: OpenIdApplication, person: str
) -> AssertionClaims:
    """Return the present claims about the person. Raises OAuthFault if the person may no longer use the application, or if the application
    is switched off.
    """
    if not app.settings.is_enabled:
        raise OAuthFault(
            OAuthError.INVALID_GRANT, RefusalReason.APPLICATION_DISABLED, "Nobody may sign in to the application"
        )
    try:
        claims = await app.claims_about(context, connection, person)
    except LockstepError as wrong:
        raise OAuthFault(OAuthError.INVALID_GRANT, RefusalReason.SESSION_ENDED, "The person cannot sign in") from wrong
    if app.settings.assignment_required and not claims.is_assigned:
        raise OAuthFault(
            OAuthError.INVALID_GRANT, RefusalReason.NOT_ASSIGNED, "The person has no access to the application"
        )
    return claims


async def _redeem_code(context: Context, app: OpenIdApplication, form: Mapping[str, str]) -> dict[str, Any]:
    code_hash, now = hash_of(form.get("code", "")), context.now()
    async with context.recording() as connection:
        row = await openid_grants.lock_code(connection, code_hash)
        try:
            check_code(_stored(row), form, app=app.id, now=now)
        except OAuthFault as fault:
            if fault.reason is not RefusalReason.CODE_USED or row is None or row.grant_id is None:
                raise
            used = fault
            await openid_grants.end_grant(connection, row.grant_id)
        else:
            assert row is not None  # noqa: S101  # otherwise it is unknown
            claims = await claims_of_grant(context, connection, app, row.person)
            grant = GrantRow(
                str(uuid4()), app.id, row.person, row.session, OFFLINE in row.scopes, row.scopes, app.issuer, claims.name_id,
                app.sid_of(row.session), row.nonce, row.methods, row.signed_in_at, now,
                now + timedelta(days=app.openid.refresh_days),
            )  # fmt: skip
            async with pipeline(connection):
                await asyncio.gather(
                    openid_grants.insert_grant(connection, grant),
                    openid_grants.note_redeemed(connection, code_hash, grant.id),
                )
            return await _tokens(context, connection, app, grant, claims, tuple(grant.scopes))
    raise used


async def _refresh(context: Context, app: OpenIdApplication, form: Mapping[str, str]) -> dict[str, Any]:
    token_hash, now = hash_of(form.get("refresh_token", "")), context.now()
    async with context.recording() as connection:
        grant = await openid_grants.lock_grant_of(connection, token_hash)
        token = await openid_grants.read_token(connection, token_hash)
        stored = None
        if grant is not None and token is not None and token.is_refresh:
            is_used = token.used_at is not None
            stored = StoredRefreshToken(grant.app, tuple(grant.scopes), token.expires_at, grant.ends_at, is_used)
        try:
            checked = check_refresh(stored, app=app.id, now=now)
        except OAuthFault as fault:
            if fault.reason is not RefusalReason.TOKEN_REUSED or grant is None:
                raise
            used = fault
            await openid_grants.end_grant(connection, grant.id)
        else:
            assert grant is not None  # noqa: S101  # otherwise it is unknown
            scopes = narrowed(checked.scopes, form.get("scope", ""))
            claims = await claims_of_grant(context, connection, app, grant.person)
            await openid_grants.note_used(connection, token_hash, now)
            return await _tokens(context, connection, app, grant, claims, scopes)
    raise used


async def _tokens(
    context: Context, connection: Connection, app: OpenIdApplication, grant: GrantRow, claims: AssertionClaims, scopes: tuple[str, ...]
) -> dict[str, Any]:  # fmt: skip
    access, now = new_secret(), context.now()
    lifetime = timedelta(minutes=app.openid.access_minutes)
    await openid_grants.insert_token(
        connection, hash_of(access), grant.id, is_refresh=False, scopes=scopes, expires_at=now + lifetime
    )
    answer: dict[str, Any] = {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": int(lifetime.total_seconds()),
        "scope": " ".join(scopes),
    }
    if grant.is_offline:
        refresh = new_secret()
        await openid_grants.insert_token(
            connection, hash_of(refresh), grant.id, is_refresh=True, scopes=tuple(grant.scopes),
            expires_at=min(now + _IDLE, grant.ends_at),
        )  # fmt: skip
        answer["refresh_token"] = refresh
    answer["id_token"] = id_token(
        await signing_key(replace(context, within=connection)), issuer=app.issuer, subject=grant.subject, client=app.id, now=now,
        authenticated_at=grant.authenticated_at, sid=grant.sid, nonce=grant.nonce, access_token=access,
        methods=_amr(grant.methods),
        claims=released(claims.attributes, claims.groups, scopes),
    )  # fmt: skip
    return answer


def _stored(row: CodeRow | None) -> StoredCode | None:
    if row is None:
        return None
    return StoredCode(row.app, row.redirect_uri, row.challenge, row.expires_at, row.grant_id is not None)


def _amr(methods: Sequence[str]) -> list[str]:
    """Return the person's sign-in methods in the form of RFC 8176. Empty for a sign-in through an identity provider, whose methods are
    unknown.
    """
    found = [_METHODS[one] for one in methods if one in _METHODS]
    return [*found, "mfa"] if len(found) > 1 else found
