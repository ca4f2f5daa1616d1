"""OpenID Connect beyond the basic flow: public clients, responses by form, revocation, scripts of other origins, replaced secrets and keys,
the options of a request, and signing out.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from lockstep.actions import applications, assignments
from lockstep.actions.single_sign_on import client_secrets, openid_keys, settings
from tests.portal.conftest import PASSWORD
from tests.portal.test_openid_sign_in import CALLBACK, App, answer_of, documo_as_client, reason
from tests.portal.test_saml_sign_in import field, key_of, signed_in
from tests.support.admin_centre import Centre
from tests.support.hub import upn

ORIGIN = "https://docs.test"
SAML_LOGOUT = "https://files.test/slo"


@pytest.fixture
async def app(centre: Centre) -> App:
    """Documo as a confidential client; the tests change that."""
    return await documo_as_client(centre)


async def be_public(app: App) -> None:
    openid = {"redirectUris": [CALLBACK], "publicClient": True}
    await settings.change_sign_on(app.centre.context, "documo", {"openIdConnect": openid})


async def other_app(app: App) -> App:
    """Another application that uses OpenID Connect, to which Anna is assigned as well."""
    context = app.centre.context
    await applications.add_application(context, "custom-scim", name="wiki", display_name="Wiki")
    await settings.change_sign_on(context, "wiki", {"mode": "oidc", "openIdConnect": {"redirectUris": [CALLBACK]}})
    made = await client_secrets.add_client_secret(context, "wiki")
    await assignments.assign(context, "wiki", users=[upn("anna")])
    return App(app.centre, made.row.app, made.secret)


async def revoke(app: App, token: str, *, secret: str = "") -> int:
    credentials = base64.b64encode(f"{app.id}:{secret or app.secret}".encode()).decode()
    http = app.centre.browser().http
    headers = {"Authorization": f"Basic {credentials}"}
    async with http.post(f"{app.centre.origin}/oauth2/revoke", data={"token": token}, headers=headers) as answer:
        return answer.status


async def test_public_client_redeems_a_code_with_pkce_alone(app: App) -> None:
    await be_public(app)
    browser = await signed_in(app.centre)

    status, tokens = await app.redeem(
        await app.code(browser, scope="openid offline_access"), basic=False, client_id=app.id
    )
    refreshed = await app.refresh(tokens["refresh_token"], basic=False, client_id=app.id)
    with_secret = await app.redeem(await app.code(browser))
    no_challenge = answer_of(await browser.get(app.request(code_challenge=None, code_challenge_method=None)))

    assert (status, refreshed[0]) == (200, 200)
    assert with_secret[1]["error"] == "invalid_client"
    assert (no_challenge["error"], await reason(app.centre)) == ("invalid_request", "PkceMissing")


async def test_answer_by_form_is_posted_to_the_redirect_uri_and_nowhere_else(app: App) -> None:
    page = await (await signed_in(app.centre)).get(app.request(response_mode="form_post"))

    assert (page.status, f'action="{CALLBACK}"' in page.html) == (200, True)
    assert (field(page, "state"), field(page, "iss")) == ("s&1", app.centre.origin)
    assert (await app.redeem(field(page, "code")))[0] == 200
    refused = await (await signed_in(app.centre)).get(app.request(response_mode="form_post", scope="profile"))
    assert (field(refused, "error"), field(refused, "code")) == ("invalid_scope", "")


async def test_request_may_be_posted(app: App) -> None:
    browser = await signed_in(app.centre)
    query = dict(pair.split("=", 1) for pair in app.request().partition("?")[2].split("&"))
    body = "&".join(f"{name}={value}" for name, value in query.items())
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": ORIGIN}
    async with browser.http.post(
        f"{app.centre.origin}/oauth2/authorize", data=body, headers=headers, allow_redirects=False
    ) as answer:
        location = answer.headers["Location"]

    assert answer.status == 303
    assert "code" in answer_of(await browser.get(location))


async def test_revoked_refresh_token_ends_everything_and_a_revoked_access_token_itself(app: App) -> None:
    browser, other = await signed_in(app.centre), await other_app(app)
    first, second = await app.tokens(browser), await app.tokens(browser)

    assert await revoke(other, first["refresh_token"]) == 200  # it is not theirs, and they do not learn that it exists
    assert (await app.user_info(first["access_token"]))[0] == 200
    assert await revoke(app, first["access_token"]) == 200
    assert (await app.user_info(first["access_token"]))[0] == 401
    assert (await app.refresh(first["refresh_token"]))[0] == 200
    assert await revoke(app, second["refresh_token"]) == 200
    assert (await app.user_info(second["access_token"]))[0] == 401
    assert (await app.refresh(second["refresh_token"]))[1]["error"] == "invalid_grant"
    assert await revoke(app, "unknown") == 200
    assert await revoke(app, "unknown", secret="wrong") == 401


async def test_code_is_worth_nothing_after_a_minute_and_to_another_application(app: App) -> None:
    browser, other = await signed_in(app.centre), await other_app(app)
    code = await app.code(browser)

    assert (await other.redeem(code))[1]["error"] == "invalid_grant"
    assert await reason(app.centre) == "CodeOfAnotherApplication"
    await app.centre.hub.fetch("update openid_code set expires_at = now() returning 1")
    assert (await app.redeem(code))[1]["error"] == "invalid_grant"
    assert await reason(app.centre) == "CodeExpired"


async def test_refresh_token_of_another_application_is_refused_and_its_family_goes_on(app: App) -> None:
    other = await other_app(app)
    tokens = await app.tokens(await signed_in(app.centre))

    assert (await other.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"
    assert await reason(app.centre) == "TokenOfAnotherApplication"
    assert (await app.refresh(tokens["refresh_token"]))[0] == 200


async def test_client_secret_may_stand_in_the_form(app: App) -> None:
    code = await app.code(await signed_in(app.centre))

    status, _ = await app.redeem(code, basic=False, client_id=app.id, client_secret=app.secret)

    assert status == 200


async def test_two_client_secrets_work_side_by_side_until_one_is_removed_or_expires(app: App) -> None:
    context, browser = app.centre.context, await signed_in(app.centre)
    made = await client_secrets.add_client_secret(context, "documo", "second")
    [old] = [one.id for one in await client_secrets.list_client_secrets(context, "documo") if one.id != made.row.id]
    new = App(app.centre, app.id, made.secret)

    assert [(await one.redeem(await one.code(browser)))[0] for one in (app, new)] == [200, 200]
    await client_secrets.remove_client_secret(context, "documo", old)
    assert [(await one.redeem(await one.code(browser)))[0] for one in (app, new)] == [401, 200]
    await app.centre.hub.fetch("update client_secret set expires_at = now() returning 1")
    assert (await new.redeem(await new.code(browser)))[0] == 401


async def test_wrong_client_secrets_delay_the_next_attempt_of_that_client_alone(app: App) -> None:
    other, browser = await other_app(app), await signed_in(app.centre)
    code = await app.code(browser)

    wrong = [(await app.redeem(code, basic=(app.id, "wrong")))[0] for _ in range(5)]
    right = await app.redeem(code)

    assert wrong == [401] * 5
    assert (right[0], right[1]["error"]) == (429, "temporarily_unavailable")
    async with app.centre.browser().http.post(
        f"{app.centre.origin}/oauth2/token", data={"grant_type": "authorization_code", "client_id": app.id}
    ) as refused:
        assert (refused.status, 1 <= int(refused.headers["Retry-After"]) <= 30) == (429, True)
    assert (await other.redeem(await other.code(browser)))[0] == 200


async def cross_origin(app: App, method: str, path: str, origin: str) -> str:
    """Which origin may read the answer."""
    async with app.centre.browser().http.request(
        method, app.centre.origin + path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
    ) as answer:
        return answer.headers.get("Access-Control-Allow-Origin", "")


async def test_scripts_of_other_origins_read_what_is_public_and_those_of_public_clients_tokens(app: App) -> None:
    public = [await cross_origin(app, "GET", path, "https://any.test") for path in (
        "/.well-known/openid-configuration", "/oauth2/keys",
    )]  # fmt: skip
    private = [
        ("OPTIONS", "/oauth2/token"),
        ("POST", "/oauth2/token"),
        ("OPTIONS", "/oauth2/userinfo"),
        ("POST", "/oauth2/revoke"),
    ]
    confidential = [await cross_origin(app, *one, ORIGIN) for one in private]
    await be_public(app)

    assert public == ["*", "*"]
    assert confidential == [""] * 4
    assert [await cross_origin(app, *one, ORIGIN) for one in private] == [ORIGIN] * 4
    assert [await cross_origin(app, *one, "https://docs.test.evil.test") for one in private] == [""] * 4


async def test_tokens_of_a_retired_key_are_verified_until_they_have_ended(app: App) -> None:
    browser = await signed_in(app.centre)
    before = await app.tokens(browser)
    await app.centre.hub.fetch("update openid_key set published_at = now() - interval '2 hours' returning 1")
    known = {key["kid"] for key in (await app.json("/oauth2/keys"))["keys"]}

    await openid_keys.roll_openid_keys(app.centre.context)
    after = await app.tokens(browser)

    keys = KeySet.import_key_set(await app.json("/oauth2/keys"))  # type: ignore[arg-type]
    kids = [jwt.decode(one["id_token"], keys, algorithms=["RS256"]).header["kid"] for one in (before, after)]
    assert kids[0] != kids[1]
    assert set(kids) == known  # an application that read the keys before the roll knew the new one
    query = {"id_token_hint": before["id_token"], "post_logout_redirect_uri": "https://docs.test/bye"}
    assert (await browser.get("/oauth2/logout?" + urlencode(query))).location == "https://docs.test/bye"


async def test_signing_key_is_loaded_once_and_again_after_a_roll(app: App) -> None:
    """Loading checks the numbers of the key, which takes longer than everything else in a sign-in."""
    context = app.centre.context
    first, again = [(await openid_keys.signing_key(context)).key for _ in range(2)]
    await openid_keys.roll_openid_keys(context, is_compromised=True)

    assert again is first
    assert (await openid_keys.signing_key(context)).key is not first


async def test_prompt_none_with_a_session_answers_without_a_page(app: App) -> None:
    browser = await signed_in(app.centre)

    assert "code" in answer_of(await browser.get(app.request(prompt="none")))
    refused = answer_of(await (await signed_in(app.centre, "ben")).get(app.request(prompt="none")))
    assert (refused["error"], await reason(app.centre)) == ("access_denied", "NotAssigned")


async def test_consent_was_given_by_the_assignment(app: App) -> None:
    assert "code" in answer_of(await (await signed_in(app.centre)).get(app.request(prompt="consent")))


async def test_session_that_is_young_enough_is_not_proved_again(app: App) -> None:
    began = int(datetime.now(UTC).timestamp())
    browser = await signed_in(app.centre)

    code = answer_of(await browser.get(app.request(max_age="3600")))["code"]

    assert (await app.claims((await app.redeem(code))[1]["id_token"]))["auth_time"] >= began
    await app.centre.hub.fetch("update person_session set signed_in_at = now() - interval '2 hours' returning 1")
    assert "again=yes" in (await browser.get(app.request(max_age="3600"))).location


async def test_person_signs_in_again_on_the_way_when_the_application_asks_for_it(app: App) -> None:
    browser = await signed_in(app.centre)
    page = await browser.get((await browser.get(app.request(prompt="login"))).location)
    done = await browser.post(
        "/myapps/sign-in", {"name": upn("anna"), "password": PASSWORD, "next": field(page, "next")}
    )

    assert "code" in answer_of(await browser.get(done.location))


async def test_login_hint_stands_in_the_field_of_the_name_and_stays_text(app: App) -> None:
    browser = app.centre.browser()

    page = await browser.get((await browser.get(app.request(login_hint='"><b>anna'))).location)

    assert 'value="&#34;&gt;&lt;b&gt;anna"' in page.html


async def test_application_that_expects_somebody_else_gets_no_code(app: App) -> None:
    await assignments.assign(app.centre.context, "documo", users=[upn("ben")], role="Viewer")
    anna, ben = await signed_in(app.centre), await signed_in(app.centre, "ben")
    hint = (await app.tokens(anna))["id_token"]

    same = answer_of(await anna.get(app.request(id_token_hint=hint, prompt="none")))
    another = answer_of(await ben.get(app.request(id_token_hint=hint)))
    assert await reason(app.centre) == "OtherPerson"
    forged = answer_of(await ben.get(app.request(id_token_hint=hint[:-8] + "AAAAAAAA")))

    assert "code" in same
    assert (another["error"], forged["error"]) == ("login_required", "invalid_request")


async def test_parameters_that_are_not_known_change_nothing(app: App) -> None:
    """Among them `claims`, which a provider that does not support it ignores (Core, section 5.5)."""
    asked = {"claims": '{"userinfo": {"roles": {"essential": true}}}', "acr_values": "gold", "ui_locales": "de"}

    code = answer_of(await (await signed_in(app.centre)).get(app.request(**asked)))["code"]

    tokens = (await app.redeem(code))[1]
    assert tokens["scope"] == "openid profile email"


async def test_refreshed_scopes_may_be_fewer_and_never_more(app: App) -> None:
    tokens = await app.tokens(await signed_in(app.centre), scope="openid email offline_access")

    status, fewer = await app.refresh(tokens["refresh_token"], scope="openid")
    more = await app.refresh(fewer["refresh_token"], scope="openid profile")

    assert (status, fewer["scope"]) == (200, "openid")
    assert (more[1]["error"], await reason(app.centre)) == ("invalid_scope", "WiderScope")


async def test_offline_access_goes_on_after_signing_out_and_other_tokens_end(app: App) -> None:
    browser = await signed_in(app.centre)
    online, offline = await app.tokens(browser, "openid"), await app.tokens(browser)

    await browser.get("/myapps")
    await browser.post("/myapps/sign-out")

    assert (await app.user_info(online["access_token"]))[0] == 401
    assert (await app.refresh(offline["refresh_token"]))[0] == 200


async def test_application_that_is_switched_off_says_so_to_people_who_proved_who_they_are(app: App) -> None:
    browser = await signed_in(app.centre)
    tokens = await app.tokens(browser)
    await settings.change_sign_on(app.centre.context, "documo", {"enabledForSignIn": False})

    stranger = await app.centre.browser().get(app.request())
    page = await browser.get(app.request())
    assert (page.status, page.location, "No access to Documo" in page.text) == (403, "", True)
    assert await reason(app.centre) == "ApplicationDisabled"
    passive = answer_of(await browser.get(app.request(prompt="none")))

    assert stranger.location.startswith("/myapps/sign-in")
    assert passive["error"] == "access_denied"
    assert (await app.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await app.user_info(tokens["access_token"]))[0] == 401
    assert await revoke(app, tokens["refresh_token"]) == 200


async def test_tile_in_my_apps_opens_the_application_at_its_sign_on_url(app: App) -> None:
    anna, ben = await signed_in(app.centre), await signed_in(app.centre, "ben")

    tiles = await anna.get("/myapps")
    opened = await anna.get("/myapps/launch/documo")

    assert "/myapps/launch/documo" in tiles.links
    assert _leads_to(opened.html) == "https://docs.test/login"
    assert (await ben.get("/myapps/launch/documo")).status == 403
    await settings.change_sign_on(app.centre.context, "documo", {"signOnUrl": None})
    assert (await anna.get("/myapps/launch/documo")).status == 404


async def saml_app(centre: Centre) -> None:
    key = key_of("Documo")
    await applications.add_application(centre.context, "custom-scim", name="files", display_name="Files")
    wanted: dict[str, Any] = {
        "mode": "saml", "identifiers": ["https://files.test"], "replyUrls": ["https://files.test/acs"], "logoutUrl": SAML_LOGOUT,
        "requestCertificates": [key.certificate.pem], "assignmentRequired": False,
    }  # fmt: skip
    await settings.change_sign_on(centre.context, "files", wanted)


@pytest.mark.parametrize("is_sure", [True, False])
async def test_signing_out_leads_through_applications_of_saml_and_back_to_the_one_that_asked(
    app: App, is_sure: bool
) -> None:
    await saml_app(app.centre)
    browser = await signed_in(app.centre)
    assert field(await browser.get("/myapps/launch/files"), "SAMLResponse")
    hint = {"id_token_hint": (await app.tokens(browser))["id_token"]} if is_sure else {"client_id": app.id}
    path = "/oauth2/logout?" + urlencode({**hint, "post_logout_redirect_uri": "https://docs.test/bye", "state": "z"})

    page = await browser.get(path)
    if not is_sure:
        page = await browser.post(path)
    leaving = await browser.get(page.location)
    back = await browser.get("/myapps/signed-out")
    if not is_sure:
        back = await browser.get(_leads_to(back.html))

    assert page.location == "/myapps/signed-out"
    assert _leads_to(leaving.html).startswith(SAML_LOGOUT + "?SAMLRequest=")
    assert _leads_to(back.html) == "https://docs.test/bye?state=z"
    assert "You are signed out" in (await browser.get("/myapps/signed-out")).text


def _leads_to(page: str) -> str:
    return page.partition('content="0;url=')[2].partition('"')[0].replace("&amp;", "&")
