"""A passkey in Chromium, with its virtual authenticator: administrators and people add it, sign in with it and remove it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pyotp
import pytest
from playwright.async_api import Browser, Page

from lockstep.actions import administrators, second_factor, sign_in, sources
from lockstep.actions.context import NOT_SIGNED_IN
from lockstep.actions.person_sign_in import passwords, setting
from lockstep.actions.person_sign_in.outcomes import Visitor
from tests.support.admin_centre import serving_centre
from tests.support.browser import THEMES, visiting
from tests.support.hub import Hub, person, write_csv

pytestmark = pytest.mark.full
EMAIL, PASSWORD = "anna@contoso.test", "correct horse battery"


async def recovery_codes(hub: Hub) -> list[str]:
    """Those of a new administrator with an authenticator app."""
    browser = replace(hub.context, actor=NOT_SIGNED_IN)
    link = str(await administrators.first_link(hub.context)).removeprefix("/invitations/")
    session = (await sign_in.accept_invitation(browser, link, "Anna", PASSWORD, email=EMAIL)).session_secret
    made = await second_factor.begin_second_factor(browser, session)
    return await second_factor.confirm_second_factor(browser, session, pyotp.TOTP(made.seed).now())


async def give_device(page: Page) -> None:
    """Let the browser have a device that makes passkeys without asking anybody."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


async def test_add_a_passkey_sign_in_with_it_and_remove_it(hub: Hub, chrome: Browser) -> None:
    code, *_ = await recovery_codes(hub)
    async with serving_centre(hub) as centre:
        # A passkey belongs to a name, never to an address.
        origin = f"http://localhost:{urlsplit(centre.origin).port}"
        async with visiting(chrome, origin) as visitor:
            page = visitor.page
            await give_device(page)

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
            await page.get_by_role("button", name="Use a passkey").wait_for()  # the page before has a Password as well
            await page.get_by_label("Password").fill(PASSWORD)
            assert await visitor.axe() == []
            await page.get_by_role("button", name="Use a passkey").click()
            await page.get_by_role("heading", name="Sessions", level=1).wait_for()

            await page.get_by_role("button", name="Remove the passkey Laptop").click()
            await page.get_by_text("The passkey was removed").first.wait_for()
            assert await page.get_by_role("rowheader", name="Laptop").count() == 0


async def test_person_whose_organisation_requires_it_adds_a_passkey_signs_in_with_it_and_removes_it(
    hub: Hub, chrome: Browser, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "people.csv", [person("anna")])
    await sources.import_file(hub.context, "hr", {"files": [{"path": str(file)}]}, is_kept=True)
    link = (await passwords.new_sign_in_link(hub.context, EMAIL)).path.removeprefix("/myapps/link/")
    await passwords.accept_link(hub.context, link, PASSWORD, visitor=Visitor())
    await setting.change_sign_in_setting(hub.context, needs_second_factor=True)
    async with serving_centre(hub) as centre:
        origin = f"http://localhost:{urlsplit(centre.origin).port}"
        async with visiting(chrome, origin) as visitor:
            page = visitor.page
            await give_device(page)

            async def look() -> None:
                for theme in THEMES:
                    for width in (390, 1280):
                        await visitor.look(theme=theme, width=width)
                        assert await visitor.axe() == []
                        assert await visitor.overflow() <= 0

            await visitor.go("/myapps")
            await page.get_by_label("User name").fill(EMAIL)
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_role("button", name="Add a passkey").wait_for()
            await page.get_by_label("Your password").last.fill(PASSWORD)
            await look()
            await page.get_by_role("button", name="Add a passkey").click()
            await page.get_by_label("Name of the passkey").fill("Laptop")
            await look()
            await page.get_by_role("button", name="Continue with the device").click()
            await page.get_by_role("link", name="Laptop").wait_for()
            await look()

            await page.context.clear_cookies()
            visitor.said.clear()  # a sign-in without the second factor is an error in the console
            await visitor.go("/myapps/sign-in?next=/myapps/second-factor")
            await page.get_by_label("User name").fill(EMAIL)
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_role("button", name="Use a passkey").wait_for()  # the page before has a Password as well
            await page.get_by_label("Password").fill(PASSWORD)
            await look()
            await page.get_by_role("button", name="Use a passkey").click()

            await page.get_by_role("link", name="Laptop").click()
            await look()
            await setting.change_sign_in_setting(hub.context, needs_second_factor=False)
            await page.get_by_label("Your password").fill(PASSWORD)
            await page.get_by_role("button", name="Remove the passkey").click()
            await page.get_by_text("The passkey was removed").first.wait_for()
            assert await page.get_by_role("link", name="Laptop").count() == 0
