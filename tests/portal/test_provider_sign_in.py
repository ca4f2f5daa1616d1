"""People sign in through npm's oidc-provider: who is recognised, and what a refusal leaves in the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from lockstep.actions import applications, assignments, identity_providers, people, sign_in_logs
from lockstep.actions.identity_providers import ProviderChange
from lockstep.actions.person_sign_in import passwords, setting
from lockstep.actions.single_sign_on import settings
from lockstep.errors import LockstepError
from lockstep.portal.cookies import CALLBACK, SESSION_COOKIE
from lockstep.vault import Secret
from tests.portal.conftest import PASSWORD, with_password
from tests.portal.test_saml_sign_in import ISSUER, REPLY, App, field, follow, key_of
from tests.support.admin_centre import Browser, Centre, Page, serving_centre
from tests.support.hub import Hub, upn
from tests.support.oidc_provider import OidcProvider, running_oidc_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with running_oidc_provider() as running:
        yield running


@pytest.fixture
async def centre(directory: Hub, provider: OidcProvider) -> AsyncIterator[Centre]:
    async with serving_centre(directory, allow=[provider.issuer]) as running:
        yield running


@pytest.fixture
async def firm(centre: Centre, provider: OidcProvider) -> Centre:
    """People may sign in through the provider, which knows Anna."""
    provider.put_people({"anna": known("anna")})
    client_id, secret = provider.register(centre.origin + CALLBACK)
    change = ProviderChange("Contoso ID", provider.issuer, client_id, Secret(secret))
    await identity_providers.set_identity_provider(centre.context, change)
    await setting.change_sign_in_setting(centre.context, has_provider=True)
    return centre


def known(name: str, **claims: Any) -> dict[str, Any]:
    return {"email": upn(name), "email_verified": True, "name": name.capitalize(), **claims}


async def sign_in(firm: Centre, provider: OidcProvider, browser: Browser, name: str = "anna") -> Page:
    departure = await browser.get("/myapps/sign-in/sso?next=/myapps/second-factor")
    url = await provider.sign_in(browser.http, departure.location, name)
    return await browser.get(url.removeprefix(firm.origin))


async def reason(firm: Centre) -> str:
    return (await sign_in_logs.list_sign_ins(firm.context, limit=1))[0].code


async def test_person_whom_the_provider_vouches_for_signs_in(firm: Centre, provider: OidcProvider) -> None:
    browser = firm.browser()
    assert "Sign in with Contoso ID" in (await browser.get("/myapps/sign-in")).text

    page = await sign_in(firm, provider, browser)

    assert (page.status, page.location) == (303, "/myapps/second-factor")
    assert "Anna" in (await browser.get("/myapps")).text
    assert (await sign_in_logs.list_sign_ins(firm.context))[0].methods == ["provider"]


async def test_person_who_came_through_the_provider_sets_second_factors_up_there(
    firm: Centre, provider: OidcProvider
) -> None:
    """Otherwise an open browser could add a factor to a local password, without which its owner cannot sign in."""
    await with_password(firm, "anna")
    browser = firm.browser()
    await sign_in(firm, provider, browser)

    page = await browser.get("/myapps/second-factor")
    refused = await browser.post("/myapps/second-factor", {"password": PASSWORD})

    assert "Set up an authenticator app there" in page.text and 'type="password"' not in page.html
    assert (refused.status, "identity provider" in refused.text) == (409, True)


async def test_persons_own_name_at_the_provider_counts_from_then_on(firm: Centre, provider: OidcProvider) -> None:
    await sign_in(firm, provider, firm.browser())
    provider.put_people({"anna": known("ben"), "thief": known("anna")})

    stolen = await sign_in(firm, provider, firm.browser(), "thief")
    again = firm.browser()
    await sign_in(firm, provider, again)

    assert (stolen.status, "Sign-in failed" in stolen.text) == (401, True)
    assert "Anna" in (await again.get("/myapps")).text


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"email": "zoe@contoso.test"}, "UnknownPerson"),
        ({"email_verified": False}, "ProviderRefused"),
        ({"email": ""}, "ProviderRefused"),
    ],
)
async def test_somebody_who_is_not_recognised_reads_one_sentence_and_the_log_has_the_reason(
    firm: Centre, provider: OidcProvider, claims: dict[str, Any], code: str
) -> None:
    provider.put_people({"anna": known("anna") | claims})
    browser = firm.browser()

    page = await sign_in(firm, provider, browser)

    assert (page.status, "Sign-in failed" in page.text) == (401, True)
    assert await reason(firm) == code
    assert not any(one.key == SESSION_COOKIE for one in browser.http.cookie_jar)


async def test_disabled_person_is_refused(firm: Centre, provider: OidcProvider) -> None:
    await people.set_enabled(firm.context, [upn("anna")], is_enabled=False)

    assert (await sign_in(firm, provider, firm.browser())).status == 401
    assert await reason(firm) == "AccountDisabled"


async def test_answer_works_once_and_in_the_browser_that_asked(firm: Centre, provider: OidcProvider) -> None:
    browser = firm.browser()
    departure = await browser.get("/myapps/sign-in/sso")
    url = await provider.sign_in(browser.http, departure.location, "anna")
    back = url.removeprefix(firm.origin)

    assert (await firm.browser().get(back)).status == 401
    assert (await browser.get(back)).status == 303
    assert (await browser.get(back)).status == 401


async def test_forced_request_is_answered_only_after_the_provider_asked_again(
    firm: Centre, provider: OidcProvider
) -> None:
    app, browser = await app_of(firm), firm.browser()
    await sign_in(firm, provider, browser)
    request = app.request(force_authn=True)

    shown = await follow(browser, app.address(request))
    assert field(shown, "SAMLResponse") == ""
    [leave] = [link for link in shown.links if link.startswith("/myapps/sign-in/sso")]
    departure = await browser.get(leave)
    url = await provider.sign_in(browser.http, departure.location, "anna")
    page = await follow(browser, url.removeprefix(firm.origin))

    assert "prompt=login" in departure.location
    assert (await app.accepted(page, request.id)).name_id == upn("anna")


async def app_of(firm: Centre) -> App:
    """An application to which Anna is assigned."""
    await applications.add_application(firm.context, "documo", name="documo")
    change = {"mode": "saml", "identifiers": [ISSUER], "replyUrls": [REPLY], "signOnUrl": None}
    await settings.change_sign_on(firm.context, "documo", change)
    await assignments.assign(firm.context, "documo", users=[upn("anna")], role="Editor")
    return App(firm, key_of("Documo"))


async def test_provider_that_is_switched_off_lets_nobody_in_and_passwords_too(
    firm: Centre, provider: OidcProvider
) -> None:
    await with_password(firm, "anna")
    await setting.change_sign_in_setting(firm.context, has_provider=False, has_password=False)
    browser = firm.browser()

    assert (await browser.get("/myapps/sign-in/sso")).status == 403
    assert "Sign-in is switched off" in (await browser.get("/myapps/sign-in")).text
    with pytest.raises(LockstepError, match="password is switched off"):
        await passwords.new_sign_in_link(firm.context, upn("anna"))
