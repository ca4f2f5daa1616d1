"""Every check in the code for the rules of OpenID Connect is covered: at least one case ends differently without it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from lockstep.openid import claims, clients, grants, pkce, requests, tokens
from lockstep.openid.claims import released
from lockstep.openid.clients import presented_client, require_genuine
from lockstep.openid.faults import OAuthFault
from lockstep.openid.grants import StoredCode, StoredRefreshToken, check_code, check_refresh, narrowed
from lockstep.openid.pkce import check_verifier, checked_challenge
from lockstep.openid.requests import ClientRules, read_request, reply_to, single
from lockstep.openid.tokens import id_token, logout_token, public_jwk, read_hint, signing_jwk
from tests.support.left_out_checks import Check, checks_of, outcomes_of

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
CALLBACK, ISSUER = "https://docs.test/callback", "https://id.contoso.test"
RULES = ClientRules((CALLBACK,))
VERIFIER, CHALLENGE = "v" * 43, "RuuMQsFXSwOJtz3t2Q5m-lhS5zTJG4D4u-7LP1eI8Zs"
CODE = StoredCode("docs", CALLBACK, "", NOW + timedelta(minutes=1), is_used=False)
REFRESH = StoredRefreshToken(
    "docs", ("openid", "email"), NOW + timedelta(days=1), NOW + timedelta(days=9), is_used=False
)


@cache
def key(kid: str = "k") -> Any:
    return signing_jwk(kid, RSAKey.generate_key(2048).as_dict(private=True))


def asked(rules: ClientRules = RULES, **given: str | None) -> object:
    usual: dict[str, str | None] = {
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid email",
        "nonce": "n",
    }
    sent = {name: value for name, value in (usual | given).items() if value is not None}
    return read_request(sent, rules, reply_to(sent, rules))


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def hint(payload: Mapping[str, Any] = {}, *, signer: Any = None, header: Mapping[str, Any] = {}) -> object:
    usual = {"iss": ISSUER, "aud": "docs", "sub": "anna", "sid": "s"}
    signer = signer or key()
    private = signer.key if isinstance(signer, tokens.SigningJwk) else signer
    algorithm = "HS256" if isinstance(private, OctKey) else "RS256"
    token = jwt.encode(
        {"alg": algorithm, "kid": "k", "typ": "JWT", **header}, {**usual, **payload}, private, algorithms=[algorithm]
    )
    return read_hint(token, [public_jwk(key())], issuer=ISSUER)


def issued(**more: Any) -> object:
    """The payload of an ID token."""
    usual: dict[str, Any] = {
        "issuer": ISSUER, "subject": "anna", "client": "docs", "now": NOW, "authenticated_at": NOW, "sid": "s", "nonce": "n",
        "access_token": "t", "methods": ["pwd"], "claims": {},
    }  # fmt: skip
    return jwt.decode(id_token(key(), **usual | more), key().key, algorithms=["RS256"]).claims


def of_logout() -> object:
    token = logout_token(key(), issuer=ISSUER, subject="anna", client="docs", sid="s", token_id="1", now=NOW)
    return read_hint(token, [public_jwk(key())], issuer=ISSUER)


def redeemed(code: StoredCode | None = CODE, now: datetime = NOW, **form: str) -> object:
    return check_code(code, {"redirect_uri": CALLBACK, **form}, app="docs", now=now)


def refreshed(token: StoredRefreshToken | None = REFRESH, now: datetime = NOW) -> object:
    return check_refresh(token, app="docs", now=now)


genuine = partial(require_genuine, is_public=False, has_matching_secret=True)
WITH_SECRET, WITHOUT = clients.PresentedClient("docs", "s"), clients.PresentedClient("docs", "")
MAIL = {"email": ("anna@contoso.test",), "name": ("Anna",), "phone": ()}
CASES: dict[str, Callable[[], object]] = {
    "request": asked,
    "request by form": lambda: asked(response_mode="form_post"),
    "redirect URI of a stranger": lambda: asked(redirect_uri="https://evil.test"),
    "redirect URI with a query": lambda: asked(redirect_uri=CALLBACK + "?x=1"),
    "redirect URI missing": lambda: asked(redirect_uri=None),
    "request object": lambda: asked(request="x.y.z"),
    "address of a request object": lambda: asked(request_uri="https://evil.test/r"),
    "registration": lambda: asked(registration="{}"),
    "implicit": lambda: asked(response_type="id_token"),
    "hybrid": lambda: asked(response_type="code id_token"),
    "no response type": lambda: asked(response_type=None),
    "fragment": lambda: asked(response_mode="fragment"),
    "no openid": lambda: asked(scope="email"),
    "unknown scope": lambda: asked(scope="openid email phone"),
    "prompt that is none": lambda: asked(prompt="create"),
    "none and login": lambda: asked(prompt="none login"),
    "none": lambda: asked(prompt="none"),
    "age that is none": lambda: asked(max_age="-1"),
    "age": lambda: asked(max_age="60"),
    "PKCE that is missing": lambda: asked(ClientRules((CALLBACK,), is_public=True)),
    "PKCE that was asked for": lambda: asked(ClientRules((CALLBACK,), needs_pkce=True)),
    "plain": lambda: asked(code_challenge=CHALLENGE, code_challenge_method="plain"),
    "PKCE without a method": lambda: asked(code_challenge=CHALLENGE),
    "method without a challenge": lambda: asked(code_challenge_method="S256"),
    "short challenge": lambda: asked(code_challenge="x", code_challenge_method="S256"),
    "challenge": lambda: checked_challenge(CHALLENGE, "S256", is_needed=True),
    "repeated": lambda: single([("a", "1"), ("a", "1")]),
    "empty and again": lambda: single([("a", ""), ("a", "1")]),
    "long": lambda: single([("a", "x" * 2_049)]),
    "verifier": lambda: check_verifier(VERIFIER, pkce_challenge(VERIFIER)),
    "wrong verifier": lambda: check_verifier("w" * 43, pkce_challenge(VERIFIER)),
    "no verifier": lambda: check_verifier("", pkce_challenge(VERIFIER)),
    "short verifier": lambda: check_verifier("w", pkce_challenge("w")),
    "verifier without a challenge": lambda: check_verifier(VERIFIER, ""),
    "neither": lambda: check_verifier("", ""),
    "code": redeemed,
    "unknown code": lambda: redeemed(None),
    "code of another": lambda: redeemed(replace(CODE, app="other")),
    "code used": lambda: redeemed(replace(CODE, is_used=True)),
    "code late": lambda: redeemed(now=NOW + timedelta(minutes=1)),
    "code for another address": lambda: redeemed(redirect_uri=CALLBACK + "/"),
    "code with a verifier that was not begun": lambda: redeemed(code_verifier=VERIFIER),
    "refresh token": refreshed,
    "unknown refresh token": lambda: refreshed(None),
    "refresh token of another": lambda: refreshed(replace(REFRESH, app="other")),
    "refresh token used": lambda: refreshed(replace(REFRESH, is_used=True)),
    "refresh token late": lambda: refreshed(now=NOW + timedelta(days=1)),
    "fewer scopes": lambda: narrowed(("openid", "email"), "openid"),
    "all scopes": lambda: narrowed(("openid", "email"), ""),
    "more scopes": lambda: narrowed(("openid",), "openid email"),
    "secret in the header": lambda: presented_client(basic("docs:s"), {}),
    "secret twice": lambda: presented_client(basic("docs:s"), {"client_secret": "s"}),
    "another client in the form": lambda: presented_client(basic("docs:s"), {"client_id": "other"}),
    "no Base64": lambda: presented_client("Basic *", {}),
    "no colon": lambda: presented_client(basic("docs"), {}),
    "no client": lambda: presented_client(basic(":s"), {}),
    "nothing": lambda: presented_client("", {}),
    "secret in the form": lambda: presented_client("", {"client_id": "docs", "client_secret": "s"}),
    "genuine": lambda: genuine(WITH_SECRET),
    "wrong secret": lambda: genuine(WITH_SECRET, has_matching_secret=False),
    "no secret": lambda: genuine(WITHOUT, has_matching_secret=True),
    "public": lambda: genuine(WITHOUT, is_public=True),
    "public, not matching": lambda: genuine(WITHOUT, is_public=True, has_matching_secret=False),
    "public with a secret": lambda: genuine(WITH_SECRET, is_public=True),
    "hint": hint,
    "hint of a stranger": lambda: hint(signer=key("stranger")),
    "hint by HMAC with the public key": lambda: hint(signer=OctKey.import_key(public_jwk(key())["n"])),
    "hint that is no token": lambda: read_hint("x", [public_jwk(key())], issuer=ISSUER),
    "hint of another issuer": lambda: hint({"iss": "https://evil.test"}),
    "hint for two": lambda: hint({"aud": ["docs", "other"]}),
    "logout token as a hint": of_logout,
    "ID token with claims of protocols": lambda: issued(claims={"sub": "ben", "nbf": 1, "name": "Anna"}),
    "ID token without a nonce": lambda: issued(nonce=""),
    "claims": lambda: released(MAIL, ["Writers"], ("openid", "email", "groups")),
    "claims without e-mail": lambda: released({"name": ("Anna",)}, [], ("openid", "profile")),
}  # fmt: skip
CHECKS = [one for module in (claims, clients, grants, pkce, requests, tokens) for one in checks_of(module, parts=True)]


def pkce_challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def outcomes() -> dict[str, str]:
    return outcomes_of(CASES, OAuthFault, lambda refused: f"{refused.error} {refused.reason} {refused.detail}")


@pytest.fixture(scope="module")
def usual() -> dict[str, str]:
    return outcomes()


def test_every_check_has_cases_that_end_as_they_should(usual: dict[str, str]) -> None:
    assert [name for name, outcome in usual.items() if outcome.startswith("crashed")] == []
    assert len(CHECKS) >= 60


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_no_check_can_be_left_out(check: Check, usual: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    check.leave_out(monkeypatch)

    assert outcomes() != usual
