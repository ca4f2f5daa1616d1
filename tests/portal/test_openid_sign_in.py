"""Applications sign people in by OpenID Connect: the steps from the request to the tokens, and the result of every wrong step."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from lockstep.actions import applications, assignments, people, sign_in_logs
from lockstep.actions.person_sign_in.outcomes import meaning_of
from lockstep.actions.single_sign_on import client_secrets, settings
from lockstep.openid.faults import RefusalReason
from tests.portal.conftest import PASSWORD, with_password
from tests.portal.test_saml_sign_in import field, signed_in
from tests.support.admin_centre import Browser, Centre, Page
from tests.support.hub import upn

CALLBACK = "https://docs.test/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@dataclass
class App:
    """Documo, as a client that this module plays."""

    centre: Centre
    id: str
    secret: str

    def request(self, **more: str | None) -> str:
        """The address of a request; None leaves a parameter out."""
        usual: dict[str, str | None] = {
            "client_id": self.id, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid profile email",
            "state": "s&1", "nonce": "n-1", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
        }  # fmt: skip
        return "/oauth2/authorize?" + urlencode({k: v for k, v in (usual | more).items() if v is not None})

    async def code(self, browser: Browser, **more: str | None) -> str:
        page = await browser.get(self.request(**more))
        answer = answer_of(page)
        assert "code" in answer, answer
        return answer["code"]

    async def token(
        self, *, basic: tuple[str, str] | bool | None = None, origin: str = "", **form: Any
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Origin": origin} if origin else {}
        if basic is not False:
            client, secret = basic if isinstance(basic, tuple) else (self.id, self.secret)
            headers["Authorization"] = "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()
        http = self.centre.browser().http
        async with http.post(f"{self.centre.origin}/oauth2/token", data=form, headers=headers) as answer:
            return answer.status, await answer.json()

    async def redeem(self, code: str, /, **form: Any) -> tuple[int, dict[str, Any]]:
        usual = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return await self.token(**{**usual, **form})

    async def refresh(self, token: str, **form: Any) -> tuple[int, dict[str, Any]]:
        return await self.token(grant_type="refresh_token", refresh_token=token, **form)

    async def tokens(self, browser: Browser, scope: str = "openid profile email offline_access") -> dict[str, Any]:
        status, found = await self.redeem(await self.code(browser, scope=scope))
        assert status == 200, found
        return found

    async def user_info(self, token: str) -> tuple[int, dict[str, Any]]:
        http = self.centre.browser().http
        headers = {"Authorization": f"Bearer {token}"}
        async with http.get(f"{self.centre.origin}/oauth2/userinfo", headers=headers) as answer:
            return answer.status, await answer.json()

    async def json(self, path: str) -> dict[str, Any]:
        async with self.centre.browser().http.get(self.centre.origin + path) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def claims(self, token: str) -> dict[str, Any]:
        keys = KeySet.import_key_set(await self.json("/oauth2/keys"))  # type: ignore[arg-type]
        return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


def answer_of(page: Page) -> dict[str, str]:
    """The parameters that go to the application: by redirect, or by a page that leads on."""
    url = page.location
    if page.status == 200:
        found = re.search(r'content="0;url=([^"]*)"', page.html)
        url = html.unescape(found[1]) if found else ""
    assert url.startswith(CALLBACK), (page.status, url, page.text)
    return dict(parse_qsl(urlsplit(url).query))


async def reason(centre: Centre) -> str:
    return (await sign_in_logs.list_sign_ins(centre.context, limit=1))[0].code


@pytest.fixture
async def app(centre: Centre) -> App:
    return await documo_as_client(centre)


async def documo_as_client(centre: Centre) -> App:
    """OpenID Connect is on; Anna is assigned, with a password, and Ben is not."""
    await applications.add_application(centre.context, "documo", name="documo")
    openid = {
        "redirectUris": [CALLBACK, "https://docs.test/other"],
        "postLogoutRedirectUris": ["https://docs.test/bye"],
    }
    await settings.change_sign_on(
        centre.context, "documo", {"mode": "oidc", "openIdConnect": openid, "signOnUrl": "https://docs.test/login"}
    )
    made = await client_secrets.add_client_secret(centre.context, "documo", "first")
    await assignments.assign(centre.context, "documo", users=[upn("anna")], role="Editor")
    for name in ("anna", "ben"):
        await with_password(centre, name)
    return App(centre, made.row.app, made.secret)


async def test_person_signs_in_and_the_application_learns_who_it_is(app: App) -> None:
    browser = await signed_in(app.centre)

    page = await browser.get(app.request())
    answer = answer_of(page)
    status, tokens = await app.redeem(answer["code"])

    assert (page.status, answer["state"], answer["iss"]) == (303, "s&1", app.centre.origin)
    assert (status, tokens["token_type"], "refresh_token" in tokens) == (200, "Bearer", False)
    claims = await app.claims(tokens["id_token"])
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (app.centre.origin, app.id, "n-1")
    assert (claims["preferred_username"], claims["roles"]) == (upn("anna"), ["Editor"])
    assert (await app.user_info(tokens["access_token"]))[1]["sub"] == claims["sub"]
    assert await reason(app.centre) == ""


async def test_person_signs_in_on_the_way(app: App) -> None:
    browser = app.centre.browser()
    page = await browser.get((await browser.get(app.request())).location)
    form = {"name": upn("anna"), "password": PASSWORD, "next": field(page, "next")}
    done = await browser.post("/myapps/sign-in", form)

    assert (await app.redeem(answer_of(await browser.get(done.location))["code"]))[0] == 200


async def test_person_who_is_not_assigned_is_told_so_and_the_application_learns_nothing(app: App) -> None:
    page = await (await signed_in(app.centre, "ben")).get(app.request())

    assert (page.status, "not assigned" in page.text, page.location) == (403, True, "")
    assert await reason(app.centre) == "NotAssigned"


UNSAFE: dict[str, tuple[dict[str, str | None], str]] = {
    "no client": ({"client_id": None}, "UnknownClient"),
    "unknown client": ({"client_id": "839a151a-7974-4698-b9c1-b92d09e02f64"}, "UnknownClient"),
    "no redirect uri": ({"redirect_uri": None}, "UnknownReplyUrl"),
    "trailing slash": ({"redirect_uri": CALLBACK + "/"}, "UnknownReplyUrl"),
    "query": ({"redirect_uri": CALLBACK + "?a=1"}, "UnknownReplyUrl"),
    "fragment": ({"redirect_uri": CALLBACK + "#a"}, "UnknownReplyUrl"),
    "case": ({"redirect_uri": "https://docs.test/Callback"}, "UnknownReplyUrl"),
    "case of the host": ({"redirect_uri": "https://DOCS.test/callback"}, "UnknownReplyUrl"),
    "port": ({"redirect_uri": "https://docs.test:443/callback"}, "UnknownReplyUrl"),
    "user info": ({"redirect_uri": "https://docs.test@evil.test/callback"}, "UnknownReplyUrl"),
    "scheme": ({"redirect_uri": "http://docs.test/callback"}, "UnknownReplyUrl"),
    "dot segments": ({"redirect_uri": "https://docs.test/x/../callback"}, "UnknownReplyUrl"),
    "another host": ({"redirect_uri": "https://docs.test.evil.test/callback"}, "UnknownReplyUrl"),
    "too long": ({"state": "s" * 3_000}, "ParameterTooLong"),
}


@pytest.mark.parametrize("case", UNSAFE)
async def test_request_whose_answer_has_no_safe_place_goes_nowhere(app: App, case: str) -> None:
    change, expected = UNSAFE[case]
    page = await (await signed_in(app.centre)).get(app.request(**change))

    assert (page.status, page.location, "Sign-in failed" in page.text) == (400, "", True)
    assert await reason(app.centre) == expected


TOLD: dict[str, tuple[dict[str, str | None], str, str]] = {
    "implicit": ({"response_type": "id_token"}, "unsupported_response_type", "WrongResponseType"),
    "no response type": ({"response_type": None}, "invalid_request", "WrongResponseType"),
    "fragment": ({"response_mode": "fragment"}, "invalid_request", "WrongResponseMode"),
    "no openid": ({"scope": "profile"}, "invalid_scope", "NoOpenIdScope"),
    "plain": ({"code_challenge_method": "plain"}, "invalid_request", "PkceNotS256"),
    "method left out": ({"code_challenge_method": None}, "invalid_request", "PkceNotS256"),
    "method without challenge": ({"code_challenge": None}, "invalid_request", "PkceMalformed"),
    "short challenge": ({"code_challenge": "abc"}, "invalid_request", "PkceMalformed"),
    "unknown prompt": ({"prompt": "please"}, "invalid_request", "WrongPrompt"),
    "none and login": ({"prompt": "none login"}, "invalid_request", "WrongPrompt"),
    "negative max_age": ({"max_age": "-1"}, "invalid_request", "WrongMaxAge"),
    "request object": ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported", "RequestObject"),
    "request uri": ({"request_uri": "https://evil.test/r"}, "request_uri_not_supported", "RequestObject"),
    "registration": ({"registration": "{}"}, "registration_not_supported", "RequestObject"),
}


@pytest.mark.parametrize("case", TOLD)
async def test_application_is_told_what_is_wrong_with_its_request(app: App, case: str) -> None:
    change, error, expected = TOLD[case]
    answer = answer_of(await (await signed_in(app.centre)).get(app.request(**change)))

    assert (answer["error"], answer["state"], answer["iss"]) == (error, "s&1", app.centre.origin)
    assert await reason(app.centre) == expected


async def test_prompt_none_without_a_session_is_login_required(app: App) -> None:
    answer = answer_of(await app.centre.browser().get(app.request(prompt="none")))

    assert (answer["error"], await reason(app.centre)) == ("login_required", "NoPassive")


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}])
async def test_session_that_is_too_old_has_to_be_proved_again(app: App, asked: dict[str, str]) -> None:
    browser = await signed_in(app.centre)

    assert "again=yes" in (await browser.get(app.request(**asked))).location


CODES: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown code": ({"code": "x"}, "invalid_grant", "UnknownCode"),
    "other redirect uri": ({"redirect_uri": "https://docs.test/other"}, "invalid_grant", "OtherRedirectUri"),
    "no verifier": ({"code_verifier": ""}, "invalid_grant", "PkceMissing"),
    "wrong verifier": ({"code_verifier": "w" * 43}, "invalid_grant", "PkceWrong"),
    "challenge as verifier": ({"code_verifier": CHALLENGE}, "invalid_grant", "PkceWrong"),
    "short verifier": ({"code_verifier": "v"}, "invalid_grant", "PkceMalformed"),
    "password grant": ({"grant_type": "password"}, "unsupported_grant_type", "WrongGrantType"),
    "wrong secret": ({"basic": "wrong"}, "invalid_client", "WrongClientSecret"),
    "no authentication": ({"basic": False}, "invalid_client", "NoClientAuthentication"),
    "secret twice": ({"client_secret": "x"}, "invalid_request", "TwoClientAuthentications"),
    "another client in the form": ({"client_id": "other"}, "invalid_request", "TwoClientAuthentications"),
}


@pytest.mark.parametrize("case", CODES)
async def test_code_is_not_redeemed(app: App, case: str) -> None:
    change, error, expected = CODES[case]
    if change.get("basic") == "wrong":
        change = {"basic": (app.id, "wrong")}
    code = await app.code(await signed_in(app.centre))

    status, answer = await app.redeem(code, **change)

    assert (status, answer["error"]) == (401 if error == "invalid_client" else 400, error)
    assert await reason(app.centre) == expected


async def test_verifier_for_a_request_without_a_challenge_is_refused(app: App) -> None:
    code = await app.code(await signed_in(app.centre), code_challenge=None, code_challenge_method=None)

    assert (await app.redeem(code))[1]["error"] == "invalid_grant"
    assert await reason(app.centre) == "PkceNotBegun"


async def test_second_use_of_a_code_revokes_what_the_first_one_led_to(app: App) -> None:
    code = await app.code(await signed_in(app.centre))
    tokens = (await app.redeem(code))[1]

    assert (await app.redeem(code))[1]["error"] == "invalid_grant"
    assert (await reason(app.centre), (await app.user_info(tokens["access_token"]))[0]) == ("CodeUsedBefore", 401)


async def test_second_use_of_a_refresh_token_ends_the_whole_family(app: App) -> None:
    first = await app.tokens(await signed_in(app.centre))
    status, second = await app.refresh(first["refresh_token"])
    assert (status, second["refresh_token"] != first["refresh_token"]) == (200, True)

    assert (await app.refresh(first["refresh_token"]))[1]["error"] == "invalid_grant"
    assert await reason(app.centre) == "RefreshTokenReused"
    assert (await app.refresh(second["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await app.user_info(second["access_token"]))[0] == 401


async def test_disabled_person_is_refused_at_once_and_applications_are_to_be_told(app: App) -> None:
    tokens = await app.tokens(await signed_in(app.centre))

    await people.set_enabled(app.centre.context, [upn("anna")], is_enabled=False)

    assert (await app.user_info(tokens["access_token"]))[0] == 401
    assert (await app.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"
    async with app.centre.context.reading() as connection:
        cursor = await connection.execute("select count(*) from openid_logout where app = %s", (app.id,))
        assert (await cursor.fetchone() or [0])[0] >= 1


async def test_what_discovery_names_answers(app: App) -> None:
    found = await app.json("/.well-known/openid-configuration")

    assert (found["issuer"], found["code_challenge_methods_supported"]) == (app.centre.origin, ["S256"])
    assert [key["alg"] for key in (await app.json("/oauth2/keys"))["keys"]] == ["RS256", "RS256"]


async def test_application_signs_a_person_out_with_the_id_token_that_it_got(app: App) -> None:
    browser = await signed_in(app.centre)
    tokens = await app.tokens(browser)
    query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "https://docs.test/bye", "state": "z"}

    bad = await browser.get(
        "/oauth2/logout?" + urlencode(query | {"post_logout_redirect_uri": "https://docs.test/bye/"})
    )
    asked = await browser.get("/oauth2/logout")
    page = await browser.get("/oauth2/logout?" + urlencode(query))

    assert (bad.status, "Sign out" in asked.text) == (400, True)
    assert (page.status, page.location) == (303, "https://docs.test/bye?state=z")
    assert (await browser.get("/myapps")).location.startswith("/myapps/sign-in")


@pytest.mark.parametrize("kind", ["none", "HS256", "other key"])
async def test_hint_that_lockstep_did_not_sign_is_refused(app: App, kind: str) -> None:
    tokens = await app.tokens(await signed_in(app.centre))
    head, body, _ = tokens["id_token"].split(".")
    if kind == "none":
        forged = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode() + f".{body}."
    elif kind == "HS256":
        forged = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode() + f".{body}.{'A' * 43}"
    else:
        forged = f"{head}.{body}.{'A' * 512}"

    page = await app.centre.browser().get("/oauth2/logout?" + urlencode({"id_token_hint": forged}))

    assert (page.status, await reason(app.centre)) == (400, "WrongIdTokenHint")


def test_every_reason_of_openid_connect_is_a_code_of_the_log_with_a_meaning() -> None:
    """Otherwise a refusal would become an error of the server when it is written to the log."""
    assert {code for code in RefusalReason if not meaning_of(code)} == set()
