"""The authorization code flow with PKCE (RFC 6749, RFC 7636): the authorization URL, and the exchange of the returned code for tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from lockstep.errors import Kind, LockstepError
from lockstep.oidc.provider import ClientRegistration, Metadata, get_json, json_of, send, unusable

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient

_MOST_SHOWN = 300  # characters of an error message from the provider


@dataclass(frozen=True, slots=True)
class Attempt:
    """A pending sign-in. Its secrets are known only to the browser that began it."""

    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    enters_again: bool = False  # the provider must ask for the credentials even if it has a session


@dataclass(frozen=True, slots=True)
class Tokens:
    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


def authorization_url(client: ClientRegistration, metadata: Metadata, attempt: Attempt) -> str:
    """Return the URL at which the provider signs the person in."""
    again = {"prompt": "login", "max_age": "0"} if attempt.enters_again else {}
    url: str = prepare_grant_uri(
        metadata.authorization_endpoint,
        client.id,
        "code",
        redirect_uri=attempt.redirect_uri,
        scope=list(client.scopes),
        state=attempt.state,
        nonce=attempt.nonce,
        code_challenge=create_s256_code_challenge(attempt.verifier),
        code_challenge_method="S256",
        **again,
    )
    return url


def code_in(client: ClientRegistration, metadata: Metadata, answer: Mapping[str, str]) -> str:
    """Return the code in the provider's *answer*, whose state the caller has already compared.

    Raises LockstepError if the provider refuses the sign-in, if there is no code, or if another provider sent the response (mix-up attack,
    RFC 9207, section 2.4).
    """
    issuer = answer.get("iss", "")
    if (metadata.sends_issuer or issuer) and issuer != metadata.issuer:
        raise refused(f"The response does not come from {client.name}", why="It names a different issuer, or none")
    if error := answer.get("error", ""):
        said = answer.get("error_description", "") or error
        raise refused(f"{client.name} refused the sign-in", why=said[:_MOST_SHOWN])
    code = answer.get("code", "")
    if not code:
        raise refused(f"The response of {client.name} has no code")
    return code


async def redeem(
    http: HttpClient, client: ClientRegistration, metadata: Metadata, attempt: Attempt, code: str
) -> Tokens:
    """Exchange *code* for tokens. Raises LockstepError if the provider refuses the code or returns no ID token."""
    body = prepare_token_request(
        "authorization_code", code=code, redirect_uri=attempt.redirect_uri, code_verifier=attempt.verifier
    )
    url, headers, body = _client_auth(client, metadata).prepare(
        "POST",
        metadata.token_endpoint,
        {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
        body,
    )
    answer = await send(http, "POST", url, headers=headers, body=body.encode())
    if answer.status in (400, 401, 403):
        said = json_of(answer, url, what="refusal of the code")
        why = str(said.get("error_description") or said.get("error") or f"HTTP {answer.status}")
        raise refused(f"{client.name} did not accept the code", why=why[:_MOST_SHOWN])
    if answer.status != 200:
        raise unusable(url, f"The tokens cannot be read: HTTP {answer.status}")
    found = json_of(answer, url, what="token response")
    id_token, access_token = found.get("id_token"), found.get("access_token")
    if not isinstance(id_token, str):
        raise unusable(url, "The token response has no ID token")
    return Tokens(id_token, access_token if isinstance(access_token, str) else "")


async def user_info(http: HttpClient, metadata: Metadata, tokens: Tokens, *, subject: str) -> dict[str, Any]:
    """Return the claims of the provider's UserInfo endpoint, or {} if there is no such endpoint or no access token.

    Raises LockstepError if the response is about another person (OpenID Connect Core, section 5.3.2).
    """
    if not metadata.userinfo_endpoint or not tokens.access_token:
        return {}
    bearer = {"Authorization": f"Bearer {tokens.access_token}"}
    found = await get_json(http, metadata.userinfo_endpoint, what="user info", headers=bearer)
    if found.get("sub") != subject:
        raise refused("The user info is about another person", why="Its sub differs from that of the ID token")
    return found


def refused(detail: str, *, why: str = "") -> LockstepError:
    return LockstepError(
        Kind.UNAUTHORIZED, detail, why=why, next_step="Sign in again. If it fails again, ask a Global administrator"
    )


def _client_auth(client: ClientRegistration, metadata: Metadata) -> ClientAuth:
    if not client.secret:
        return ClientAuth(client.id, "", "none")
    if "client_secret_basic" not in metadata.auth_methods and "client_secret_post" in metadata.auth_methods:
        return ClientAuth(client.id, client.secret, "client_secret_post")
    # Basic authentication requires both parts to be form-encoded first (RFC 6749, section 2.3.1). Authlib leaves that to its caller.
    return ClientAuth(quote_plus(client.id), quote_plus(client.secret), "client_secret_basic")
