"""Authorization requests (OpenID Connect Core, section 3.1.2), and where their responses go.

A response goes to a redirect URI only if the client is known and has registered exactly this URI, compared character by character. Until
this has been checked, nothing is redirected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote

from lockstep.openid.faults import OAuthError, OAuthFault, RefusalReason
from lockstep.openid.pkce import checked_challenge

OPENID, OFFLINE = "openid", "offline_access"
SCOPES = (OPENID, "profile", "email", "groups", OFFLINE)
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
LONGEST, LONGEST_HINT, LONGEST_TOKEN = 2_048, 254, 8_192  # characters of a parameter, a login hint, a token
Pairs = Sequence[tuple[str, str]]


class ResponseMode(StrEnum):
    """The way in which the response reaches the application."""

    QUERY = "query"
    FORM_POST = "form_post"


@dataclass(frozen=True, slots=True)
class ClientRules:
    """The data that a client has registered. Its requests must agree with these data."""

    redirect_uris: tuple[str, ...]
    is_public: bool = False
    needs_pkce: bool = False


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """The checked address to which a response goes. *state* is returned to the application unchanged."""

    redirect_uri: str
    state: str = ""
    mode: ResponseMode = ResponseMode.QUERY


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A checked request. *max_age* is the greatest allowed age of the sign-in in seconds, or None for no limit. If *enters_again* is true,
    the person must authenticate again.

    *login_hint* is the name under which the person probably signs in. *id_token_hint* is an ID token of the expected person; it is not
    checked yet.
    """

    reply: ReplyTo
    scopes: tuple[str, ...]
    nonce: str = field(repr=False)
    challenge: str = field(repr=False)
    is_passive: bool = False
    enters_again: bool = False
    max_age: int | None = None
    login_hint: str = ""
    id_token_hint: str = field(default="", repr=False)


def single(pairs: Pairs, *, longest: int = LONGEST) -> dict[str, str]:
    """Return the parameters by name, without empty ones (RFC 6749, section 3.1). Raises OAuthFault if a parameter is repeated or too
    long.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if not value:
            continue
        if name in found:
            raise _wrong(RefusalReason.REPEATED_PARAMETER, f"{name[:40]} was given more than once")
        if len(value) > longest:
            raise _wrong(RefusalReason.TOO_LONG, f"{name[:40]} is longer than {longest} characters")
        found[name] = value
    return found


def reply_to(given: Mapping[str, str], client: ClientRules) -> ReplyTo:
    """Return the address that the response goes to. Raises OAuthFault unless the client has registered exactly the redirect URI in the
    request. The caller must not send this fault to a redirect URI.
    """
    asked = given.get("redirect_uri", "")
    if asked not in client.redirect_uris:
        raise _wrong(
            RefusalReason.UNKNOWN_REDIRECT_URI, "redirect_uri is missing, or is not registered for the application"
        )
    is_form = given.get("response_mode") == ResponseMode.FORM_POST
    return ReplyTo(asked, given.get("state", ""), ResponseMode.FORM_POST if is_form else ResponseMode.QUERY)


def read_request(given: Mapping[str, str], client: ClientRules, reply: ReplyTo) -> AuthorizationRequest:
    """Check the rest of a request whose response goes to *reply*. Raises OAuthFault, which the caller sends to that address."""
    if "request" in given:
        raise OAuthFault(OAuthError.REQUEST_NOT_SUPPORTED, RefusalReason.REQUEST_OBJECT, "request is not supported")
    if "request_uri" in given:
        raise OAuthFault(
            OAuthError.REQUEST_URI_NOT_SUPPORTED, RefusalReason.REQUEST_OBJECT, "request_uri is not supported"
        )
    if "registration" in given:
        raise OAuthFault(
            OAuthError.REGISTRATION_NOT_SUPPORTED, RefusalReason.REQUEST_OBJECT, "registration is not supported"
        )
    if given.get("response_type") != "code":
        error = OAuthError.UNSUPPORTED_RESPONSE_TYPE if "response_type" in given else OAuthError.INVALID_REQUEST
        raise OAuthFault(error, RefusalReason.WRONG_RESPONSE_TYPE, "response_type must be code")
    if given.get("response_mode", reply.mode) != reply.mode:
        raise _wrong(RefusalReason.WRONG_RESPONSE_MODE, "response_mode must be query or form_post")
    asked = given.get("scope", "").split()
    if OPENID not in asked:
        raise OAuthFault(OAuthError.INVALID_SCOPE, RefusalReason.NO_OPENID_SCOPE, "scope must contain openid")
    prompts = frozenset(given.get("prompt", "").split())
    if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise _wrong(RefusalReason.WRONG_PROMPT, "prompt must be none, or any of login, consent and select_account")
    return AuthorizationRequest(
        reply=reply,
        scopes=tuple(one for one in SCOPES if one in asked),  # unknown ones are ignored (Core, section 3.1.2.1)
        nonce=given.get("nonce", ""),
        challenge=checked_challenge(
            given.get("code_challenge", ""), given.get("code_challenge_method", ""),
            is_needed=client.is_public or client.needs_pkce,
        ),
        is_passive="none" in prompts,
        enters_again=bool(prompts & {"login", "select_account"}),
        max_age=_max_age(given.get("max_age")),
        login_hint=given.get("login_hint", "")[:LONGEST_HINT],
        id_token_hint=given.get("id_token_hint", ""),
    )  # fmt: skip


def answer_fields(issuer: str, reply: ReplyTo, **answer: str) -> dict[str, str]:
    """Return the parameters of a response, including the state and our issuer (RFC 9207)."""
    return {**answer, **({"state": reply.state} if reply.state else {}), "iss": issuer}


def answer_url(reply: ReplyTo, fields: Mapping[str, str]) -> str:
    """Return the URL that sends *fields* to the application. The query of the redirect URI itself is kept."""
    joined = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    return f"{reply.redirect_uri}{'&' if '?' in reply.redirect_uri else '?'}{joined}"


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise _wrong(RefusalReason.WRONG_MAX_AGE, "max_age must be a number of seconds")
    return int(text)


def _wrong(reason: RefusalReason, detail: str) -> OAuthFault:
    return OAuthFault(OAuthError.INVALID_REQUEST, reason, detail)
