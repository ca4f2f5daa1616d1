"""Decide whether a code or a refresh token may be redeemed (RFC 6749, sections 4.1.3 and 6; RFC 9700, section 4.14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lockstep.openid.faults import OAuthError, OAuthFault, RefusalReason
from lockstep.openid.pkce import check_verifier

CODE_VALID = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class StoredCode:
    """The stored data of a code."""

    app: str
    redirect_uri: str
    challenge: str = field(repr=False)
    expires_at: datetime
    is_used: bool


@dataclass(frozen=True, slots=True)
class StoredRefreshToken:
    """The stored data of a refresh token. *ends_at* is when all tokens of its grant expire."""

    app: str
    scopes: tuple[str, ...]
    expires_at: datetime
    ends_at: datetime
    is_used: bool


def check_code(code: StoredCode | None, form: Mapping[str, str], *, app: str, now: datetime) -> StoredCode:
    """Return the code if *app* may redeem it with this *form*. Raises OAuthFault.

    Reuse is checked before the expiry: after a reuse, the caller must end all tokens that were issued for the code, even if the code has
    expired.
    """
    if code is None:
        raise _not_granted(RefusalReason.UNKNOWN_CODE, "The code is unknown")
    if code.app != app:
        raise _not_granted(RefusalReason.CODE_OF_ANOTHER, "The code is unknown")
    if code.is_used:
        raise _not_granted(RefusalReason.CODE_USED, "The code was used before")
    if now >= code.expires_at:
        raise _not_granted(RefusalReason.CODE_EXPIRED, "The code has expired")
    if form.get("redirect_uri", "") != code.redirect_uri:
        raise _not_granted(
            RefusalReason.OTHER_REDIRECT_URI, "redirect_uri differs from that of the authorization request"
        )
    check_verifier(form.get("code_verifier", ""), code.challenge)
    return code


def check_refresh(token: StoredRefreshToken | None, *, app: str, now: datetime) -> StoredRefreshToken:
    """Return the token if *app* may redeem it. Raises OAuthFault. If the fault's reason is TOKEN_REUSED, the caller must end all tokens of
    the grant.
    """
    if token is None:
        raise _not_granted(RefusalReason.UNKNOWN_TOKEN, "The refresh token is unknown or was revoked")
    if token.app != app:
        raise _not_granted(RefusalReason.TOKEN_OF_ANOTHER, "The refresh token is unknown or was revoked")
    if token.is_used:
        raise _not_granted(RefusalReason.TOKEN_REUSED, "The refresh token was used before")
    if now >= min(token.expires_at, token.ends_at):
        raise _not_granted(RefusalReason.TOKEN_EXPIRED, "The refresh token has expired")
    return token


def narrowed(scopes: tuple[str, ...], asked: str) -> tuple[str, ...]:
    """Return the scopes of a refreshed access token: all granted *scopes* if *asked* is empty, otherwise only those in *asked*.

    Raises OAuthFault if *asked* contains a scope that was not granted.
    """
    wanted = asked.split()
    if not set(wanted) <= set(scopes):
        raise OAuthFault(OAuthError.INVALID_SCOPE, RefusalReason.WIDER_SCOPE, "scope contains more than was granted")
    return tuple(one for one in scopes if not wanted or one in wanted)


def _not_granted(reason: RefusalReason, detail: str) -> OAuthFault:
    return OAuthFault(OAuthError.INVALID_GRANT, reason, detail)
