"""OpenID Connect under attack, and what the conformance suite asks for: bytes that a database cannot store, simultaneous requests, swapped
nonces, replayed sign-outs, and the contents of a provider's documents.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import Counter
from datetime import UTC, datetime
from itertools import product
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from lockstep.actions.person_sign_in import sessions
from lockstep.actions.single_sign_on import settings
from tests.portal.test_openid_behaviour import other_app
from tests.portal.test_openid_sign_in import CALLBACK, App, answer_of, documo_as_client, reason
from tests.portal.test_saml_sign_in import field, signed_in
from tests.support.admin_centre import Centre
from tests.support.hub import upn


@pytest.fixture
async def app(centre: Centre) -> App:
    """Documo as a confidential client that is attacked."""
    return await documo_as_client(centre)


PARAMETERS = (
    "client_id", "redirect_uri", "scope", "state", "nonce", "login_hint", "id_token_hint", "prompt", "max_age", "x",
)  # fmt: skip
TEXTS = ("\0", "a\0b", "\ud800", "\r\nLocation: https://evil.test", "😀" * 400)


async def test_no_text_in_a_request_makes_an_error_of_the_server(app: App) -> None:
    for browser in (await signed_in(app.centre), app.centre.browser()):
        for parameter, text in product(PARAMETERS, TEXTS):
            query = app.request(**{parameter: "PLACE"}).replace("PLACE", encoded(text))
            page = await browser.get(query)
            assert page.status < 500, (parameter, text, page.text)
            assert not page.location or page.location.startswith((CALLBACK, "/myapps/")), page.location
            if page.location.startswith("/myapps/"):
                assert (await browser.get(page.location)).status == 200


def encoded(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))


async def forget_attempts(app: App) -> None:
    """Otherwise the delay after wrong secrets would hide what the endpoint makes of the request."""
    await app.centre.hub.fetch("delete from sign_in_attempt returning 1")


async def test_no_text_in_a_token_request_makes_an_error_of_the_server(app: App) -> None:
    http = app.centre.browser().http
    form = {"grant_type": "authorization_code", "client_id": app.id, "client_secret": app.secret, "code": "x"}
    names = (*form, "code_verifier", "redirect_uri", "refresh_token", "token")
    for name, text, path in product(names, ("a\0b", "é", "\ud800"), ("/oauth2/token", "/oauth2/revoke")):
        await forget_attempts(app)
        body = urlencode(form | {name: "PLACE"}).replace("PLACE", encoded(text))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with http.post(app.centre.origin + path, data=body, headers=headers) as answer:
            assert answer.status in (200, 400, 401), (name, text, path, await answer.text())


async def test_no_authorization_header_makes_an_error_of_the_server(app: App) -> None:
    http = app.centre.browser().http
    headers = ("Basic /w==", "Basic AA==", "Basic", "Bearer \xff", "Bearer ", "Basic " + "A" * 4000)
    places = (("POST", "/oauth2/token"), ("POST", "/oauth2/revoke"), ("GET", "/oauth2/userinfo"))
    for header, (method, path) in product(headers, places):
        await forget_attempts(app)
        data = None if method == "GET" else {"grant_type": "refresh_token"}
        async with http.request(
            method, app.centre.origin + path, data=data, headers={"Authorization": header}
        ) as answer:
            assert answer.status in (400, 401), (header, path)


@pytest.mark.parametrize("prompt", [None, "login"])
async def test_request_that_began_in_another_browser_signs_nobody_in(app: App, prompt: str | None) -> None:
    """Otherwise an attacker's request, with the attacker's state, would be answered with a code for the victim."""
    attacker, victim = app.centre.browser(), await signed_in(app.centre)
    begun = await attacker.get(app.request(prompt=prompt))
    back = parse_qs(urlsplit(begun.location).query)["next"][0]

    for browser in (victim, app.centre.browser()):
        page = await browser.get(back)
        assert (page.status, page.location) == (409, "")
        assert "This sign-in is too old" in page.text

    own = await attacker.get(back)
    assert (own.status, "/myapps/sign-in" in own.location) == (303, True)


async def test_code_that_is_redeemed_twice_at_once_gives_one_set_of_tokens_that_then_ends(app: App) -> None:
    code = await app.code(await signed_in(app.centre))

    answers = await asyncio.gather(*(app.redeem(code) for _ in range(4)))

    assert Counter(status for status, _ in answers) == {200: 1, 400: 3}
    [tokens] = [found for status, found in answers if status == 200]
    assert (await app.user_info(tokens["access_token"]))[0] == 401


async def test_refresh_token_that_is_used_twice_at_once_ends_the_family(app: App) -> None:
    tokens = await app.tokens(await signed_in(app.centre))

    answers = await asyncio.gather(*(app.refresh(tokens["refresh_token"]) for _ in range(4)))

    assert Counter(status for status, _ in answers) == {200: 1, 400: 3}
    [second] = [found for status, found in answers if status == 200]
    assert (await app.refresh(second["refresh_token"]))[0] == 400


async def test_each_code_has_the_nonce_of_its_own_request(app: App) -> None:
    browser = await signed_in(app.centre)
    codes = {nonce: await app.code(browser, nonce=nonce) for nonce in ("first", "second", None)}

    for nonce in reversed(codes):
        claims = await app.claims((await app.redeem(codes[nonce]))[1]["id_token"])
        assert claims.get("nonce") == nonce


async def test_id_token_has_what_the_client_must_check(app: App) -> None:
    before = int(datetime.now(UTC).timestamp())
    tokens = await app.tokens(await signed_in(app.centre))
    claims = await app.claims(tokens["id_token"])
    other = await other_app(app)
    elsewhere = await other.claims((await other.tokens(await signed_in(app.centre)))["id_token"])

    assert (claims["iss"], claims["aud"]) == (app.centre.origin, app.id)
    assert before <= claims["auth_time"] <= claims["iat"] < claims["exp"]
    digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert (elsewhere["aud"], elsewhere["sub"] != claims["sub"]) == (other.id, True)  # pairwise


async def test_refreshed_id_token_is_about_the_same_person_and_sign_in(app: App) -> None:
    """OpenID Connect Core, section 12.2."""
    tokens = await app.tokens(await signed_in(app.centre))
    first = await app.claims(tokens["id_token"])

    second = await app.claims((await app.refresh(tokens["refresh_token"]))[1]["id_token"])

    for name in ("iss", "sub", "aud", "auth_time", "sid"):
        assert first[name] == second[name], name


async def test_discovery_says_what_the_standard_requires_and_every_address_answers(app: App) -> None:
    """Discovery, section 3; RFC 8414; RFC 9207. Keys have no private parts."""
    found = await app.json("/.well-known/openid-configuration")
    keys = (await app.json("/oauth2/keys"))["keys"]

    assert {"RS256"} <= set(found["id_token_signing_alg_values_supported"])
    assert (found["response_types_supported"], found["subject_types_supported"]) == (["code"], ["pairwise"])
    assert found["authorization_response_iss_parameter_supported"] is True
    assert "none" not in found["id_token_signing_alg_values_supported"]
    assert {frozenset(one) for one in keys} == {frozenset({"kty", "n", "e", "kid", "use", "alg"})}
    assert len({one["kid"] for one in keys}) == len(keys)
    http = app.centre.browser().http
    for name, address in found.items():
        if name.endswith(("_endpoint", "_uri")):
            async with http.get(address, allow_redirects=False) as answer:
                assert answer.status in (200, 303, 400, 401, 405), (name, answer.status)


async def test_user_info_says_the_same_as_the_id_token_and_ends_with_the_session(app: App) -> None:
    browser = await signed_in(app.centre)
    tokens = await app.tokens(browser, "openid profile email groups")
    claims = await app.claims(tokens["id_token"])

    status, told = await app.user_info(tokens["access_token"])
    await sessions.end_person_sessions(app.centre.context, upn("anna"))

    assert status == 200 and told["sub"] == claims["sub"]
    assert {name: claims[name] for name in told} == told
    assert (await app.user_info(tokens["access_token"]))[0] == 401


async def test_passive_request_of_a_session_that_is_too_old_is_login_required(app: App) -> None:
    browser = await signed_in(app.centre)

    answer = answer_of(await browser.get(app.request(prompt="none", max_age="0")))

    assert (answer["error"], await reason(app.centre)) == ("login_required", "NoPassive")


async def test_state_that_is_markup_stays_text_in_the_form_that_is_posted(app: App) -> None:
    evil = '"><script>alert(1)</script>'

    page = await (await signed_in(app.centre)).get(app.request(response_mode="form_post", state=evil))

    assert evil not in page.html and field(page, "code")


MODES = ["fragment", "web_message", "jwt", "query.jwt", "form_post.jwt", "QUERY"]


async def test_other_response_modes_are_refused_and_put_nothing_into_a_fragment(app: App) -> None:
    browser = await signed_in(app.centre)

    for mode in MODES:
        page = await browser.get(app.request(response_mode=mode))
        assert (answer_of(page)["error"], "#" in page.location) == ("invalid_request", False), mode


KINDS = ["token", "id_token", "code token", "code id_token", "id_token token", "none", "code code"]


async def test_implicit_and_hybrid_flows_are_refused(app: App) -> None:
    browser = await signed_in(app.centre)

    for kind in KINDS:
        answer = answer_of(await browser.get(app.request(response_type=kind)))
        assert (answer["error"], "code" in answer) == ("unsupported_response_type", False), kind


async def test_signing_out_by_a_hint_of_an_ended_session_asks_first(app: App) -> None:
    """The address of a sign-out may be kept in a history or a log; it ends no later session."""
    browser = await signed_in(app.centre)
    query = "/oauth2/logout?" + urlencode({"id_token_hint": (await app.tokens(browser))["id_token"]})
    await browser.get(query)
    again = await signed_in(app.centre)

    page = await again.get(query)

    assert page.status == 200 and "Sign out" in page.text
    assert (await again.get("/myapps")).status == 200


async def test_removing_pkce_on_the_way_is_refused_on_both_ends(app: App) -> None:
    browser = await signed_in(app.centre)
    code = await app.code(browser, code_challenge=None, code_challenge_method=None)
    assert (await app.redeem(code))[1]["error"] == "invalid_grant"
    await settings.change_sign_on(
        app.centre.context, "documo", {"openIdConnect": {"redirectUris": [CALLBACK], "requirePkce": True}}
    )

    answer = answer_of(await browser.get(app.request(code_challenge=None, code_challenge_method=None)))

    assert (answer["error"], await reason(app.centre)) == ("invalid_request", "PkceMissing")


async def test_code_without_a_redirect_uri_is_not_redeemed(app: App) -> None:
    code = await app.code(await signed_in(app.centre))

    assert (await app.redeem(code, redirect_uri=""))[1]["error"] == "invalid_grant"
    assert await reason(app.centre) == "OtherRedirectUri"
    assert (await app.redeem(code))[0] == 200  # a refused attempt does not use the code up
