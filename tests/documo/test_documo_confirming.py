"""Sensitive changes on Documo's pages ask who is at the keyboard, unless the member proved it a short time ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from yarl import URL

from documo.access import api_keys
from documo.access.confirming import CONFIRMED, FORM_OPEN
from documo.access.sso import providers
from documo.web.sessions import COOKIE
from tests.documo.test_documo_permissions import ROWS
from tests.documo.test_documo_sso import ANNA, bring, setup
from tests.support.documo_client import Client, Documo
from tests.support.documo_pages import PASSWORD, Visitor, signed_in, visiting
from tests.support.documo_world import Browser, Household, household
from tests.support.saml_provider import Asked, Provider

KEYS = "/settings/api-keys"
SETUP = "/settings/security/sso"
SENSITIVE = {
    "/users/new", "/users/{user}/link", "/users/{user}/role", "/users/{user}/second-factor/reset", KEYS, f"{KEYS}/{{key}}/revoke",
    f"{KEYS}/{{key}}/roll", "/settings/scim/users", "/settings/security/enforce", "/settings/security/certificates",
    "/settings/security/certificates/activate", "/settings/security/certificates/remove", SETUP, f"{SETUP}/metadata", f"{SETUP}/remove",
}  # fmt: skip


async def last_confirmed(api: Client, ago: timedelta) -> None:
    """Make every session of the account one that was confirmed so long ago."""
    async with api.store.tenant(api.account.id) as connection:
        await connection.execute(
            "update member_sessions set confirmed_at = %s where tenant_id = %s",
            (datetime.now(UTC) - ago, api.account.id),
        )


async def names_of_keys(api: Client) -> list[str]:
    return [key.name for key in await api_keys.list_keys(api.store, api.account.id)]


def session_of(visitor: Visitor) -> str:
    return visitor.http.cookie_jar.filter_cookies(URL(visitor.origin))[COOKIE].value


async def create_key(visitor: Visitor) -> str:
    return (await visitor.post(KEYS, on="/own-account", name="Entra", scope="read"))[1]


@pytest.fixture
async def home(documo: Documo) -> Household:
    return await household(await documo.client("Zebra"), "zebra")


async def test_exactly_the_sensitive_changes_ask(home: Household, browser: Browser) -> None:
    names, asked = await home.objects(), set()
    for row in ROWS:
        if row.method != "POST" or "Admin" not in (row.roles or ()):
            continue
        path, form = row.sent(names)
        secret = await home.session("Admin")
        await last_confirmed(home.api, FORM_OPEN)
        seen = await browser.send("POST", path, secret=secret, form=form | {"role": "Admin"})
        if seen.goes_to.startswith("/confirm?"):
            asked.add(row.path)

    assert asked == SENSITIVE


async def test_change_without_confirmation_does_nothing_and_works_after_the_password(api: Client) -> None:
    async with signed_in(api) as ada:
        before = await names_of_keys(api)
        await last_confirmed(api, CONFIRMED)
        page = await create_key(ada)
        assert "Confirm your password" in page and "Nothing was changed yet" in page
        assert await names_of_keys(api) == before

        status, page = await ada.post("/confirm", on="/confirm", password="not the password", next=KEYS)
        assert status == 400 and "The current password is wrong" in page
        assert "Confirm your password" in await create_key(ada)

        secret = session_of(ada)
        status, page = await ada.post("/confirm", on="/confirm", password=PASSWORD, next=KEYS)
        assert status == 200 and "<h1>API keys</h1>" in page
        assert session_of(ada) != secret
        assert "I have stored it" in await create_key(ada)

    assert await names_of_keys(api) == [*before, "Entra"]


async def test_user_who_is_no_admin_is_created_without_confirmation(api: Client) -> None:
    async with signed_in(api) as ada:
        await last_confirmed(api, CONFIRMED)
        _, page = await ada.post("/users/new", on="/users/new", email="new@x.org", role="Member")

    assert "Link to set a password" in page


async def test_setup_saml_opens_after_a_confirmation_and_can_be_sent_for_an_hour(api: Client) -> None:
    entered = {"entity_id": "", "sign_in_url": "https://login.example/saml2"}
    async with signed_in(api) as ada:
        await last_confirmed(api, CONFIRMED)
        assert "Confirm your password" in (await ada.get(SETUP))[1]
        assert "Entity Id is missing" in (await ada.post(SETUP, on="/own-account", **entered))[1]
        await last_confirmed(api, FORM_OPEN)
        assert "Confirm your password" in (await ada.post(SETUP, on="/own-account", **entered))[1]


async def test_session_of_the_provider_is_confirmed_only_by_a_new_proof_there(api: Client) -> None:
    provider = Provider(api.url.removesuffix("/scim/v2"))
    await providers.set_up(api.store, api.account.id, setup(provider))
    await api.user(ANNA, roles=[{"value": "Admin", "primary": True}])
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with visiting(api) as anna:
        await bring(anna, provider.response(ANNA, authenticated_at=yesterday))
        assert "Confirm who you are" in await create_key(anna)
        assert (await anna.post("/confirm", on="/confirm", password=PASSWORD))[0] == 400

        asked = await _asked(anna, provider)
        assert asked.request.force_authn
        await bring(anna, provider.response(ANNA, asked=asked, authenticated_at=yesterday))
        assert "Confirm who you are" in await create_key(anna), "the provider did not ask again"

        _, _, path = await bring(anna, provider.response(ANNA, asked=await _asked(anna, provider)))
        assert path == KEYS
        assert "I have stored it" in await create_key(anna)


async def _asked(visitor: Visitor, provider: Provider) -> Asked:
    return provider.asked_on((await visitor.post("/confirm/sso", on="/confirm", next=KEYS))[1])
