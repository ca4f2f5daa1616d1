"""Check that an ID token is meant for us, genuine and fresh (OpenID Connect Core 1.0, section 3.1.3.7).

Only signatures with a public key are accepted. The algorithm `none` and the HS algorithms are refused, because with HS an attacker could
use the public key as the secret.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lockstep.errors import LockstepError
from lockstep.oidc.code_flow import Attempt, Tokens, refused
from lockstep.oidc.provider import ClientRegistration, Metadata, get_json, unusable

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
LEEWAY_SECONDS = 60  # allowed difference between clocks


async def checked_claims(
    http: HttpClient, client: ClientRegistration, metadata: Metadata, attempt: Attempt, tokens: Tokens, *, now: datetime
) -> dict[str, Any]:
    """Return the claims of the ID token. Raises LockstepError if its signature or a claim is invalid."""
    keys = await _keys(http, metadata)
    try:
        token = jwt.decode(tokens.id_token, keys, algorithms=ALGORITHMS)
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": client.issuer},
                "aud": {"essential": True, "value": client.id},
                "sub": {"essential": True},
            },
            params={"nonce": attempt.nonce, "client_id": client.id, "access_token": tokens.access_token},
        )
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError) as wrong:
        raise _not_accepted(client, wrong) from None
    return dict(claims)


def authenticated_at(claims: dict[str, Any]) -> datetime | None:
    """Return when the person last authenticated to the provider, or None if the provider does not say."""
    seconds = claims.get("auth_time")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    with suppress(OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(seconds, UTC)
    return None


async def _keys(http: HttpClient, metadata: Metadata) -> KeySet:
    found = await get_json(http, metadata.jwks_uri, what="key set")
    try:
        return KeySet.import_key_set(found)  # type: ignore[arg-type]  # what is not a key set is refused
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise unusable(metadata.jwks_uri, "The key set contains no key that can be used") from None


def _not_accepted(client: ClientRegistration, wrong: Exception) -> LockstepError:
    reason = getattr(wrong, "description", "") or getattr(wrong, "error", "") or type(wrong).__name__
    return refused(f"The ID token of {client.name} is not accepted", why=str(reason)[:200].replace("_", " "))
