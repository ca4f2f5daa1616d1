"""Single sign-on in Chromium: the security policy lets the browser go to the provider and come back, and the cookies arrive."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from lockstep.actions import identity_providers
from lockstep.actions.identity_providers import CALLBACK, ProviderChange
from lockstep.actions.permissions import Role
from lockstep.vault import Secret
from tests.support.admin_centre import serving_centre
from tests.support.browser import THEMES, visiting
from tests.support.hub import Hub
from tests.support.oidc_provider import running_oidc_provider

pytestmark = pytest.mark.full


async def test_signing_in_through_the_provider_and_confirming_there(hub: Hub, chrome: Browser) -> None:
    people = {"anna": {"email": "anna@contoso.test", "email_verified": True, "groups": ["lockstep-admins"]}}
    with running_oidc_provider() as provider:
        provider.put_people(people)
        async with serving_centre(hub, allow=[provider.issuer]) as centre, visiting(chrome, centre.origin) as visitor:
            client_id, secret = provider.register(centre.origin + CALLBACK)
            change = ProviderChange(
                "Contoso ID",
                provider.issuer,
                client_id,
                secret=Secret(secret),
                scopes=("email", "profile", "groups"),
                roles=[("lockstep-admins", Role.GLOBAL_ADMINISTRATOR, "")],
            )
            await identity_providers.set_identity_provider(centre.context, change)
            page = visitor.page
            await visitor.go("/settings/sso")
            for theme in THEMES:
                await visitor.look(theme=theme)
                assert await visitor.axe() == []

            await page.get_by_role("link", name="Sign in with Contoso ID").click()
            await page.get_by_placeholder("Enter any login").fill("anna")
            await page.get_by_placeholder("and password").fill("any")
            await page.get_by_role("button", name="Sign-in").click()
            await page.get_by_role("button", name="Continue").click()
            await page.get_by_role("heading", name="Single sign-on", level=1).wait_for()
            visitor.said.clear()  # what the provider's own pages fetch
            for theme in THEMES:
                await visitor.look(theme=theme, width=320)
                assert await visitor.axe() == []
                assert await visitor.overflow() <= 0

            await page.get_by_label("Name", exact=True).fill("Contoso")
            await page.get_by_role("button", name="Save").click()
            await page.get_by_role("link", name="Confirm with Contoso ID").click()
            await page.get_by_placeholder("Enter any login").fill("anna")
            await page.get_by_placeholder("and password").fill("any")
            await page.get_by_role("button", name="Sign-in").click()
            await page.get_by_role("heading", name="Single sign-on", level=1).wait_for()
            await page.get_by_label("Name", exact=True).fill("Contoso")
            await page.get_by_role("button", name="Save").click()

            await page.get_by_text("The sign-in page shows: Sign in with Contoso").first.wait_for()
