"""Responses of a provider that must not sign anybody in: forged, replayed, mixed up, meant for another receiver, or too old."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from lockstep.actions import administrators, audit, identity_providers
from lockstep.actions.audit import AuditFilter
from lockstep.actions.identity_providers import CALLBACK, ProviderChange
from lockstep.actions.permissions import Role
from lockstep.credentials.attempts import OF_ADDRESS
from lockstep.errors import LockstepError
from lockstep.vault import Secret
from tests.support.admin_centre import Browser, Centre, Page, serving_centre
from tests.support.hub import Hub
from tests.support.rogue_provider import CLIENT_ID, RogueProvider, Sign, running_rogue_provider, signed

NOBODY_LISTENS = "http://127.0.0.1:9"


@pytest.fixture
async def provider() -> AsyncIterator[RogueProvider]:
    async with running_rogue_provider() as running:
        yield running


@pytest.fixture
async def centre(hub: Hub, provider: RogueProvider) -> AsyncIterator[Centre]:
    async with serving_centre(hub, allow=[provider.issuer, NOBODY_LISTENS]) as running:
        await set_up(running, provider)
        yield running


async def set_up(centre: Centre, provider: RogueProvider, **changes: Any) -> None:
    change = {
        "name": "Rogue", "issuer": provider.issuer, "client_id": CLIENT_ID, "secret": Secret("a client's secret"),
        "roles": [("lockstep-operators", Role.OPERATOR, "")],
    }  # fmt: skip
    await identity_providers.set_identity_provider(centre.context, ProviderChange(**{**change, **changes}))


async def attempt(centre: Centre, provider: RogueProvider, browser: Browser | None = None, **changes: Any) -> Page:
    browser = browser or centre.browser()
    departure = await browser.get("/sign-in/sso")
    assert departure.status == 303, departure.text
    return await browser.get(f"{CALLBACK}?{provider.answer(departure.location, **changes)}")


async def test_an_honest_answer_is_accepted(centre: Centre, provider: RogueProvider) -> None:
    assert (await attempt(centre, provider)).status == 303


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"iss": "https://evil.test"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "another client"}, "aud"),
        ({"aud": ["another client", "a third"]}, "aud"),
        ({"aud": [CLIENT_ID, "another client"]}, "azp"),
        ({"aud": [CLIENT_ID, "another client"], "azp": "another client"}, "azp"),
        ({"azp": "another client"}, "azp"),
        ({"aud": None}, "aud"),
        ({"exp": 1_700_000_000}, "expired"),
        ({"exp": None}, "exp"),
        ({"iat": 4_000_000_000}, "in the future"),
        ({"nbf": 4_000_000_000}, "not yet valid"),
        ({"sub": None}, "sub"),
        ({"sub": 7}, "sub"),
        ({"at_hash": "another"}, "at_hash"),
    ],
)
async def test_an_id_token_with_a_wrong_claim_is_refused(
    centre: Centre, provider: RogueProvider, claims: dict[str, Any], said: str
) -> None:
    provider.claims = claims

    refused = await attempt(centre, provider)

    assert (refused.status, await administrators.list_administrators(centre.context)) == (401, [])
    assert "The ID token of Rogue is not accepted" in refused.text
    assert said.replace("_", " ") in refused.text


def _unsigned(claims: dict[str, Any], _: RSAKey) -> str:
    parts = [json.dumps(one).encode() for one in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def _public_key_as_secret(claims: dict[str, Any], key: RSAKey) -> str:
    """Signed by hand, because libraries refuse to: with HS256 and the public key that everybody knows."""
    parts = [json.dumps(one).encode() for one in ({"alg": "HS256", "kid": key.kid}, claims)]
    content = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    signature = hmac.digest(key.as_pem(private=False), content.encode(), "sha256")
    return f"{content}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _client_secret_as_key(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key("a client's secret"), algorithms=["HS256"])


def _another_key(claims: dict[str, Any], key: RSAKey) -> str:
    return signed(claims, RSAKey.generate_key(2048, {"kid": str(key.kid)}))


def _unknown_key(claims: dict[str, Any], _: RSAKey) -> str:
    return signed(claims, RSAKey.generate_key(2048, {"kid": "two"}))


def _changed_afterwards(claims: dict[str, Any], key: RSAKey) -> str:
    head, _, signature = signed(claims, key).split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "ben"}).encode()).rstrip(b"=").decode()
    return f"{head}.{payload}.{signature}"


def _own_key_in_the_header(claims: dict[str, Any], _: RSAKey) -> str:
    key = RSAKey.generate_key(2048, {"kid": "mine"})
    return jwt.encode({"alg": "RS256", "kid": "mine", "jwk": key.as_dict(private=False)}, claims, key)


@pytest.mark.parametrize(
    "sign",
    [
        _unsigned, _public_key_as_secret, _client_secret_as_key, _another_key, _unknown_key, _changed_afterwards,
        _own_key_in_the_header, lambda *_: "no.token.atall", lambda *_: "",
    ],
)  # fmt: skip
async def test_an_id_token_that_the_provider_did_not_sign_is_refused(
    centre: Centre, provider: RogueProvider, sign: Sign
) -> None:
    provider.sign = sign

    refused = await attempt(centre, provider)

    assert (refused.status, await administrators.list_administrators(centre.context)) == (401, [])
    assert "The ID token of Rogue is not accepted" in refused.text


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "another"}, {"state": None}, {"state": ""}, {"iss": "https://evil.test"}, {"iss": None}, {"code": None},
        {"code": None, "error": "access_denied", "error_description": "<script>alert(1)</script>"},
    ],
)  # fmt: skip
async def test_an_answer_to_another_question_or_of_another_provider_is_refused(
    centre: Centre, provider: RogueProvider, changes: dict[str, str | None]
) -> None:
    browser = centre.browser()
    departure = await browser.get("/sign-in/sso")

    refused = await browser.get(f"{CALLBACK}?{provider.answer(departure.location, **changes)}")

    assert (refused.status, await administrators.list_administrators(centre.context)) == (401, [])
    assert "<script>alert" not in refused.html
    assert provider.verifiers == []


async def test_a_code_that_somebody_else_got_brings_no_session(centre: Centre, provider: RogueProvider) -> None:
    """A code that an attacker obtained for themselves is put into the answer of a victim: its token has another nonce."""
    attacker, victim = centre.browser(), centre.browser()
    stolen = (await attacker.get("/sign-in/sso")).location
    provider.answer(stolen, code="of the attacker")
    departure = await victim.get("/sign-in/sso")
    own = provider.answer(departure.location)

    mixed = await victim.get(f"{CALLBACK}?{own.replace('code=code', 'code=of+the+attacker')}")

    assert mixed.status == 401 and "nonce" in mixed.text
    assert provider.verifiers != []


async def test_an_answer_that_another_site_sends_the_browser_to_begins_no_session(
    centre: Centre, provider: RogueProvider
) -> None:
    """Cross-site request forgery: somebody would work in the attacker's account without noticing."""
    attacker, victim = centre.browser(), centre.browser()
    query = provider.answer((await attacker.get("/sign-in/sso")).location)

    refused = await victim.get(f"{CALLBACK}?{query}", Referer="https://evil.test/", **{"Sec-Fetch-Site": "cross-site"})
    began_another = await victim.get("/sign-in/sso")
    again = await victim.get(f"{CALLBACK}?{query}")

    assert (refused.status, began_another.status, again.status) == (401, 303, 401)
    assert (await victim.get("/apps")).status == 303


async def test_user_info_about_somebody_else_is_refused(centre: Centre, provider: RogueProvider) -> None:
    provider.claims = {"groups": None}
    provider.user_info = {"sub": "ben", "groups": ["lockstep-operators"]}

    refused = await attempt(centre, provider)

    assert refused.status == 401 and "The user info is about another person" in refused.text


async def test_user_info_does_not_replace_what_the_id_token_says(centre: Centre, provider: RogueProvider) -> None:
    provider.claims = {"groups": None, "email_verified": False}
    provider.user_info = {"groups": ["lockstep-operators"], "email_verified": True, "email": "eve@contoso.test"}

    assert (await attempt(centre, provider)).status == 403


async def test_groups_that_the_provider_left_out_are_explained(centre: Centre, provider: RogueProvider) -> None:
    provider.claims = {"groups": None, "_claim_names": {"groups": "src1"}}

    refused = await attempt(centre, provider)

    assert refused.status == 403 and "too many groups" in refused.text


async def test_roles_may_stand_inside_an_object(centre: Centre, provider: RogueProvider) -> None:
    await set_up(centre, provider, roles_claim="realm_access.roles")
    provider.claims = {"realm_access": {"roles": ["lockstep-operators"]}}

    assert (await attempt(centre, provider)).status == 303


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.test"}, {"token_endpoint": None}, {"jwks_uri": 7},
        {"authorization_endpoint": "javascript:alert(1)"}, {"token_endpoint": "http://169.254.169.254/token"},
    ],
)  # fmt: skip
async def test_a_discovery_document_that_names_another_issuer_or_a_forbidden_place_is_refused(
    centre: Centre, provider: RogueProvider, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata

    refused = await centre.browser().get("/sign-in/sso")

    assert refused.status == 400
    with pytest.raises(LockstepError):
        await identity_providers.test_provider(centre.context)


async def test_a_provider_that_is_down_leaves_the_password(centre: Centre, provider: RogueProvider) -> None:
    await set_up(centre, provider)
    provider.metadata = {"jwks_uri": f"{NOBODY_LISTENS}/keys"}

    refused = await attempt(centre, provider)

    assert refused.status == 503 and "Sign in with a password" in refused.text


async def test_answers_that_fail_count_for_the_client_and_honest_ones_do_not(
    centre: Centre, provider: RogueProvider
) -> None:
    browser = centre.browser()
    for _ in range(3):
        assert (await attempt(centre, provider, browser)).status == 303
        browser.http.cookie_jar.clear()

    statuses = [
        (await browser.get(f"{CALLBACK}?state=guessed&code=guessed")).status for _ in range(OF_ADDRESS.free + 1)
    ]

    assert statuses == [401] * OF_ADDRESS.free + [429]


async def test_a_refusal_is_in_the_audit_log_without_any_secret(centre: Centre, provider: RogueProvider) -> None:
    provider.claims = {"nonce": "another"}
    await attempt(centre, provider, code="a-secret-code")

    [entry, *_] = await audit.list_entries(centre.context, AuditFilter())
    everything = str(await audit.list_entries(centre.context, AuditFilter()))

    assert (entry.activity, entry.object) == ("Sign-in failed", "Single sign-on")
    assert entry.after["reason"] == "The ID token of Rogue is not accepted"
    assert "a-secret-code" not in everything and "a client's secret" not in everything


async def test_confirming_needs_that_the_provider_asked_again(centre: Centre, provider: RogueProvider) -> None:
    browser = centre.browser()
    await attempt(centre, provider, browser)
    statuses = []
    for claims in ({}, {"auth_time": 1_700_000_000}, {"auth_time": "now"}):
        provider.claims = claims
        departure = await browser.get("/step-up/sso")
        statuses.append((await browser.get(f"{CALLBACK}?{provider.answer(departure.location)}")).status)

    assert statuses == [403, 403, 401]


async def test_an_answer_counts_once_even_if_the_provider_takes_its_code_again(
    centre: Centre, provider: RogueProvider
) -> None:
    browser = centre.browser()
    departure = await browser.get("/sign-in/sso")
    callback = f"{CALLBACK}?{provider.answer(departure.location)}"
    kept = {one.key: one.value for one in browser.http.cookie_jar}
    assert (await browser.get(callback)).status == 303

    thief = centre.browser()
    thief.http.cookie_jar.update_cookies(kept)
    again = await thief.get(callback)

    assert again.status == 401 and "The provider's response works once" in again.text
    assert len(provider.verifiers) == 1


async def test_visits_of_the_address_ask_the_provider_once(centre: Centre, provider: RogueProvider) -> None:
    before = provider.discoveries
    browser = centre.browser()

    addresses = {(await browser.get("/sign-in/sso")).location.partition("?")[0] for _ in range(5)}

    assert addresses == {f"{provider.issuer}/authorize"}
    assert provider.discoveries - before == 1


async def test_a_provider_that_fails_is_not_asked_by_each_visitor_either(
    centre: Centre, provider: RogueProvider
) -> None:
    provider.metadata = {"issuer": "https://another.test"}
    before = provider.discoveries

    answers = [(await centre.browser().get("/sign-in/sso")).status for _ in range(3)]

    assert (len(set(answers)), provider.discoveries - before) == (1, 1)
