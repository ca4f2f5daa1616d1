"""Signed tokens: ID tokens (OpenID Connect Core, section 2) and logout tokens (Back-Channel Logout, section 2.4), always RS256.

Applications send our ID tokens back as hints. Only RS256 with one of our keys is accepted; `none`, and HS256 with the public key as secret,
are refused.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from lockstep.openid.faults import OAuthError, OAuthFault, RefusalReason

ALGORITHM = "RS256"
ID_TOKEN_VALID, LOGOUT_TOKEN_VALID = timedelta(minutes=10), timedelta(minutes=2)
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
# Claims that only Lockstep sets.
OURS = frozenset(
    {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "auth_time", "nonce", "at_hash", "c_hash",
     "s_hash", "azp", "amr", "acr", "sid", "events"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SigningJwk:
    """A private key with its id, loaded for signing."""

    kid: str
    key: RSAKey = field(repr=False)


def signing_jwk(kid: str, private: Mapping[str, Any]) -> SigningJwk:
    """Return the key of a private JWK. Its numbers are checked, which takes some tenths of a second, so keep the result."""
    return SigningJwk(kid, RSAKey.import_key(dict(private)))


def public_jwk(key: SigningJwk) -> dict[str, Any]:
    """Return the public key with which applications verify signatures."""
    known = key.key.as_dict(private=False)
    return {"kty": known["kty"], "n": known["n"], "e": known["e"], "kid": key.kid, "use": "sig", "alg": ALGORITHM}


def id_token(
    key: SigningJwk, *, issuer: str, subject: str, client: str, now: datetime, authenticated_at: datetime, sid: str,
    nonce: str, access_token: str, methods: Sequence[str], claims: Mapping[str, Any],
) -> str:  # fmt: skip
    """Build a signed ID token. *claims* about the person never replace the claims of the protocol."""
    payload: dict[str, Any] = {name: value for name, value in claims.items() if name not in OURS}
    payload |= {
        "iss": issuer, "sub": subject, "aud": client, "iat": _seconds(now), "exp": _seconds(now + ID_TOKEN_VALID),
        "auth_time": _seconds(authenticated_at), "at_hash": half_hash(access_token), "sid": sid, "amr": list(methods),
    }  # fmt: skip
    if nonce:
        payload["nonce"] = nonce
    return _signed(key, payload, kind="JWT")


def logout_token(
    key: SigningJwk, *, issuer: str, subject: str, client: str, sid: str, token_id: str, now: datetime
) -> str:
    """Build the signed token that tells an application that a session has ended. If *sid* is "", the token means that all sessions of
    *subject* have ended.
    """
    payload: dict[str, Any] = {
        "iss": issuer, "sub": subject, "aud": client, "iat": _seconds(now), "exp": _seconds(now + LOGOUT_TOKEN_VALID),
        "jti": token_id, "events": {LOGOUT_EVENT: {}},
    }  # fmt: skip
    if sid:
        payload["sid"] = sid
    return _signed(key, payload, kind="logout+jwt")


@dataclass(frozen=True, slots=True)
class Hint:
    """The content of one of our ID tokens, which may have expired."""

    client: str
    subject: str
    sid: str


def read_hint(token: str, keys: Sequence[Mapping[str, Any]], *, issuer: str) -> Hint:
    """Read an `id_token_hint`. Raises OAuthFault unless *issuer* issued it as an ID token and one of *keys* signed it.

    An expired token is accepted (RP-Initiated Logout, section 4).
    """
    try:
        found = jwt.decode(token, KeySet.import_key_set({"keys": [dict(one) for one in keys]}), algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError, KeyError):
        raise _wrong_hint("id_token_hint is not signed by Lockstep") from None
    claims = found.claims
    if claims.get("iss") != issuer:
        raise _wrong_hint("id_token_hint is from another issuer")
    if found.header.get("typ") == "logout+jwt" or not isinstance(claims.get("aud"), str):
        raise _wrong_hint("id_token_hint is not an ID token")
    return Hint(claims["aud"], str(claims.get("sub", "")), str(claims.get("sid", "")))


def half_hash(token: str) -> str:
    """Return the left half of the SHA-256 hash of *token*, in base64url (OpenID Connect Core, section 3.1.3.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()


def _signed(key: SigningJwk, payload: dict[str, Any], *, kind: str) -> str:
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": kind}
    return jwt.encode(header, payload, key.key, algorithms=[ALGORITHM])


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _wrong_hint(detail: str) -> OAuthFault:
    return OAuthFault(OAuthError.INVALID_REQUEST, RefusalReason.WRONG_ID_TOKEN_HINT, detail)
