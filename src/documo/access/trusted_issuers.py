"""Tokens of other issuers: a JWT is accepted in place of a key if the account trusts the token's issuer for the token's audience.

The account is found by issuer and audience alone, so no two accounts may trust the same pair. The account's admin supplies the keys; none
are fetched. Only asymmetric signatures are accepted, so a public key can never be used as a shared secret (RFC 8725, section 2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from documo.access.api_keys import NewKey, hash_of, owner_of_key
from documo.access.scopes import DEFAULT_SCOPES, checked_scopes, present_names
from documo.identifiers import new_id, new_key
from documo.store import issuers as table
from documo.store import keys as keys_table
from documo.store import locks
from documo.store.database import SET_TENANT, Store
from documo.store.issuers import IssuerRow
from documo.store.keys import KeyPrincipal
from lockstep.errors import conflict, invalid
from lockstep.postgres.advisory_locks import lock
from lockstep.scim.errors import ScimError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS = 60
FEWEST_RSA_BITS = 2048
MAX_TOKEN_BYTES = 8_000
LATEST = 253_402_300_799  # the latest second that a datetime can represent
_REASONS: Sequence[tuple[type[jwt.PyJWTError], str]] = (
    (jwt.ExpiredSignatureError, "The token has expired."),
    (jwt.ImmatureSignatureError, "The token is not valid yet."),
    (jwt.InvalidSignatureError, "The token is not signed by a key that this account trusts."),
    (jwt.InvalidAlgorithmError, "The token's signature algorithm is not accepted."),
    (jwt.MissingRequiredClaimError, "The token lacks one of the claims exp, iss and aud."),
)


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust that was just created or replaced."""

    id: str
    name: str
    issuer: str
    audience: str
    scopes: tuple[str, ...]
    keys: int


async def trust_issuer(
    store: Store,
    tenant_id: int,
    *,
    issuer: str,
    audience: str,
    jwks: Mapping[str, Any],
    subject: str | None = None,
    name: str = "",
    member: str = "",
    role: str = "",
    scopes: Sequence[str] = DEFAULT_SCOPES,
) -> Trust:
    """Accept tokens that *issuer* issues for *audience* and signs with a key in *jwks* (RFC 7517), as if each token were a key of *member*.

    Only tokens whose `sub`, `appid` or `azp` is *subject* are accepted. If *subject* is None, tokens of every application of the issuer are
    accepted. If the account already trusts this issuer for this audience, the keys, subject and scopes of that trust are replaced. Raises
    LockstepError for unusable keys, and if another account trusts the same issuer for the same audience.
    """
    checked, usable = checked_scopes(scopes), len(_usable_keys(jwks))
    if not issuer.strip() or not audience.strip():
        raise invalid("A trust needs an issuer and an audience (the claims iss and aud of the tokens)")
    if not usable and _weak_keys(jwks):
        raise invalid(
            f"The RSA key has fewer than {FEWEST_RSA_BITS} bits, so its signatures can be forged",
            next_step=f"Sign with an RSA key of at least {FEWEST_RSA_BITS} bits, or with EC or EdDSA (RFC 7518, section 3.3)",
        )
    if not usable:
        raise invalid(
            "The key set contains no public key that can verify signatures",
            next_step="Give the issuer's JWKS: a JSON object with `keys`, each an RSA, EC or OKP public key",
        )
    public = {"keys": [one for one in jwks["keys"] if isinstance(one, Mapping) and "d" not in one and "k" not in one]}
    async with store.control() as connection:  # not the tenant's transaction: it compares the trusts of all accounts
        await lock(connection, locks.TRUSTED_ISSUERS)
        for known in await table.of_token(connection, issuer, [audience]):
            if known.tenant_id != tenant_id:
                raise conflict(
                    "Another account already trusts this issuer for this audience",
                    next_step="Use a different audience for each account",
                )
            await table.replace(connection, known.key_id, jwks=public, scopes=checked, subject=subject)
            return Trust(known.key_id, name, issuer, audience, checked, usable)
        await connection.execute(SET_TENANT, (str(tenant_id),))
        owner = await owner_of_key(connection, tenant_id, member=member, role=role)
        key = NewKey(new_id(), name or "issuer", "jwt", new_key(), checked, None)  # this secret is never shown
        await keys_table.insert(connection, tenant_id, owner, key, hash_of(key.secret), kind="issuer")
        await table.insert(connection, key.id, issuer=issuer, audience=audience, jwks=public, subject=subject)
    return Trust(key.id, key.name, issuer, audience, checked, usable)


async def principal_of(store: Store, token: bytes) -> KeyPrincipal:
    """Return the principal behind a JWT. Raises ScimError 401, which says what is wrong with the token but never quotes the token."""
    if len(token) > MAX_TOKEN_BYTES:
        raise ScimError(401, "", f"The token is longer than {MAX_TOKEN_BYTES} bytes.")
    issuer, audiences = _addressed(token)
    async with store.control() as connection:
        found = await table.of_token(connection, issuer, audiences)
        if len(found) != 1:
            raise ScimError(401, "", "No account trusts the issuer of this token for its audience.")
        claims = _verified(token, found[0])
        _check_subject(claims, found[0].subject)
        principal = await keys_table.principal(connection, found[0].hash)
    if principal is None:
        raise ScimError(401, "", "The member behind this token is inactive or deleted.")
    scopes = principal.scopes
    if isinstance(claims.get("scope"), str):  # RFC 9068, section 2.2.3: it limits the scopes that the account grants
        scopes = scopes & present_names(claims["scope"].split())
    expires_at = datetime.fromtimestamp(min(int(claims["exp"]), LATEST), UTC)
    return replace(principal, scopes=scopes, expires_at=expires_at)


def _addressed(token: bytes) -> tuple[str, list[str]]:
    """Return the issuer and the audiences in an unverified token. They are used only to select the keys that verify the token."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise ScimError(401, "", "The token is not a readable JWT.") from None
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    named = [claims.get("iss"), *audiences[:20]]
    if not all(isinstance(one, str) and one and "\0" not in one and _is_text(one) for one in named):
        raise ScimError(401, "", "The token lacks one of the claims exp, iss and aud.")
    return str(named[0]), [str(one) for one in named[1:]]


def _is_text(value: str) -> bool:
    """Whether *value* can be encoded for the database: JSON may contain lone surrogates."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _verified(token: bytes, trust: IssuerRow) -> dict[str, Any]:
    """Verify signature, issuer, audience and times of the token (RFC 7519, section 4.1), and return its claims. Raises ScimError 401."""
    wanted = jwt.get_unverified_header(token).get("kid")
    keys = _usable_keys(trust.jwks)
    named = [key for key in keys if wanted is not None and key.key_id == wanted] or keys
    problem: jwt.PyJWTError = jwt.InvalidSignatureError()
    for key in named:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=trust.audience,
                issuer=trust.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError) as refused:
            problem = refused
        except jwt.PyJWTError as refused:
            problem = refused
            break
    detail = next((text for kind, text in _REASONS if isinstance(problem, kind)), "The token is not valid.")
    raise ScimError(401, "", detail)


def _check_subject(claims: Mapping[str, Any], subject: str | None) -> None:
    """Raise ScimError 401 unless the token belongs to the application or person that the trust names."""
    if subject is not None and subject not in [claims.get(name) for name in ("sub", "appid", "azp")]:
        raise ScimError(401, "", "The token belongs to an application other than the one that this account trusts.")


def _usable_keys(jwks: Mapping[str, Any]) -> list[jwt.PyJWK]:
    """Return the public keys of a set that can verify signatures; other keys are ignored."""
    return [key for key in _signing_keys(jwks) if not _is_weak(key)]


def _weak_keys(jwks: Mapping[str, Any]) -> bool:
    return any(map(_is_weak, _signing_keys(jwks)))


def _is_weak(key: jwt.PyJWK) -> bool:
    return isinstance(key.key, RSAPublicKey) and key.key.key_size < FEWEST_RSA_BITS


def _signing_keys(jwks: Mapping[str, Any]) -> list[jwt.PyJWK]:
    given = jwks.get("keys") if isinstance(jwks, Mapping) else None
    usable = []
    for one in given if isinstance(given, list) else []:
        if not isinstance(one, Mapping) or "k" in one or "d" in one or one.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(dict(one))
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        if key.algorithm_name in ALGORITHMS:
            usable.append(key)
    return usable
