"""A passkey in Chromium, with its virtual authenticator: add it, sign in with it, remove it."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pyotp
import pytest
from playwright.async_api import Browser

from lockstep.actions import administrators, second_factor, sign_in
from lockstep.actions.context import NOT_SIGNED_IN
from tests.support.admin_centre import serving_centre
from tests.support.browser import THEMES, visiting
from tests.support.hub import Hub

pytestmark = pytest.mark.full
EMAIL, PASSWORD = "anna@contoso.test", "correct horse battery"


async def recovery_codes(hub: Hub) -> list[str]:
    """Those of a new administrator with an authenticator app."""
    browser = replace(hub.context, actor=NOT_SIGNED_IN)
    link = str(await administrators.first_link(hub.context)).removeprefix("/invitations/")
    session = (await sign_in.accept_invitation(browser, link, "Anna", PASSWORD, email=EMAIL)).session_secret
    made = await second_factor.begin_second_factor(browser, session)
    return await second_factor.confirm_second_factor(browser, session, pyotp.TOTP(made.seed).now())


async def test_add_a_passkey_sign_in_with_it_and_remove_it(hub: Hub, chrome: Browser) -> None:
    code, *_ = await recovery_codes(hub)
    async with serving_centre(hub) as centre:
        # A passkey belongs to a name, never to an address.
        origin = f"http://localhost:{urlsplit(centre.origin).port}"
        async with visiting(chrome, origin) as visitor:
            page = visitor.page
            devtools = await page.context.new_cdp_session(page)
            await devtools.send("WebAuthn.enable")
            options = {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
                "isUserVerified": True, "automaticPresenceSimulation": True,
            }  # fmt: skip
            await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})

            async def enter_password() -> None:
                await page.get_by_label("Email").fill(EMAIL)
                await page.get_by_label("Password").fill(PASSWORD)

            await visitor.go("/sign-in?next=/settings/sessions")
            for _ in range(2):
                await enter_password()
                if await page.get_by_label("Code").count():
                    await page.get_by_label("Code").fill(code)
                await page.get_by_role("button", name="Sign in").click()
            await page.get_by_role("button", name="Add a passkey").click()
            await page.get_by_label("Name of the passkey").fill("Laptop")
            for theme in THEMES:
                await visitor.look(theme=theme)
                assert await visitor.axe() == []
            await page.get_by_role("button", name="Continue with the device").click()
            await page.get_by_role("rowheader", name="Laptop").wait_for()
            assert await visitor.axe() == []

            await page.context.clear_cookies()
            visitor.said.clear()  # a refused password is an error in the console
            await visitor.go("/sign-in?next=/settings/sessions")
            await enter_password()
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_label("Password").fill(PASSWORD)
            assert await visitor.axe() == []
            await page.get_by_role("button", name="Use a passkey").click()
            await page.get_by_role("heading", name="Sessions", level=1).wait_for()

            await page.get_by_role("button", name="Remove the passkey Laptop").click()
            await page.get_by_text("The passkey was removed").first.wait_for()
            assert await page.get_by_role("rowheader", name="Laptop").count() == 0
