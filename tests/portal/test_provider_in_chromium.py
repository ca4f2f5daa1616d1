"""A person signs in through the identity provider in a real browser, opens an application from both sides, and signs out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from lockstep.actions import identity_providers
from lockstep.actions.identity_providers import ProviderChange
from lockstep.actions.person_sign_in import setting
from lockstep.portal.cookies import CALLBACK
from lockstep.vault import Secret
from tests.portal.test_portal_in_chromium import Sp, offences, sp
from tests.support.admin_centre import Centre, serving_centre
from tests.support.browser import THEMES, Visitor, chromium, visiting
from tests.support.hub import Hub, upn
from tests.support.oidc_provider import OidcProvider, running_oidc_provider

__all__ = ["sp"]
pytestmark = pytest.mark.full


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with running_oidc_provider() as running:
        running.put_people({"anna": {"email": upn("anna"), "email_verified": True, "name": "Anna"}})
        yield running


@pytest.fixture
async def centre(directory: Hub, provider: OidcProvider) -> AsyncIterator[Centre]:
    """People may sign in through the provider, and with a password."""
    async with serving_centre(directory, allow=[provider.issuer]) as running:
        client_id, secret = provider.register(running.origin + CALLBACK)
        change = ProviderChange("Contoso ID", provider.issuer, client_id, Secret(secret))
        await identity_providers.set_identity_provider(running.context, change)
        await setting.change_sign_in_setting(running.context, has_provider=True)
        yield running


async def look(visitor: Visitor) -> list[str]:
    found: list[str] = []
    for theme in THEMES:
        for width in (1280, 390):
            await visitor.look(theme=theme, width=width)
            found += [f"{visitor.page.url} at {width}: {line}" for line in await visitor.axe()]
            found += [f"{visitor.page.url} is too wide"] if await visitor.overflow() > 0 else []
    return found


async def sign_in_at_the_provider(visitor: Visitor) -> None:
    page = visitor.page
    await page.get_by_role("link", name="Sign in with Contoso ID").click()
    await page.get_by_placeholder("Enter any login").fill("anna")
    await page.get_by_placeholder("and password").fill("any")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()


async def test_person_comes_from_the_provider_to_my_apps_and_the_application(
    centre: Centre, provider: OidcProvider, sp: Sp
) -> None:
    async with chromium() as browser, visiting(browser, centre.origin) as visitor:
        page = visitor.page
        await page.goto(sp.origin)
        await page.get_by_role("heading", name="Sign in").wait_for()
        assert await look(visitor) == []
        await sign_in_at_the_provider(visitor)
        await page.get_by_role("heading", name="Inside").wait_for()
        assert upn("anna") in sp.received[0]

        await visitor.go("/myapps")
        assert await look(visitor) == []
        await page.get_by_role("link", name="Documo").click()
        await page.get_by_role("heading", name="Inside").wait_for()
        assert len(sp.received) == 2

        await visitor.go("/myapps/second-factor")
        await page.get_by_text("Set up an authenticator app there").wait_for()
        assert await page.locator("input[type=password]").count() == 0
        assert await look(visitor) == []
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("heading", name="You are signed out").wait_for()
        await visitor.go("/myapps")
        await page.get_by_role("link", name="Sign in with Contoso ID").wait_for()
        assert offences(visitor) == []
