"""An administrator sets up single sign-on, finding everything by its label, and every page on the way is accessible."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from lockstep.actions import applications, sources
from lockstep.actions.single_sign_on import settings
from tests.support.browser import THEMES
from tests.support.hub import Hub, person, write_csv
from tests.support.lockstep_browser import visiting_centre

pytestmark = pytest.mark.full
HERE = "/apps/documo/sso"


async def test_an_administrator_sets_up_saml_by_the_labels(hub: Hub, chrome: Browser, tmp_path: Path) -> None:
    config = {"files": [{"path": str(write_csv(tmp_path / "people.csv", [person("anna")]))}]}
    await sources.import_file(hub.context, "staff", config, is_kept=True)
    await applications.add_application(hub.context, "documo")
    async with visiting_centre(chrome, hub) as visitor:
        page = visitor.page
        await visitor.go(HERE)
        await page.get_by_role("button", name="Select SAML").click()
        await page.get_by_role("link", name="Edit Basic SAML Configuration").click()
        await page.get_by_label("Identifier (Entity ID)").fill("https://docs.contoso.test")
        await page.get_by_label("Reply URL (Assertion Consumer Service URL)").fill("https://docs.contoso.test/assert")
        await page.get_by_label("Sign on URL").fill("https://docs.contoso.test/sso")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("link", name="Edit Attributes & Claims").click()
        await page.get_by_role("link", name="Add new claim").click()
        await page.get_by_label("Name", exact=True).fill("department")
        await page.get_by_label("Value").fill("department")
        await page.get_by_text("Sales").wait_for()
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("link", name="Single sign-on").first.click()
        await page.get_by_role("link", name="Test this application").click()
        await page.get_by_text("anna@contoso.test is assigned to Documo").wait_for()
        await page.get_by_text("The response to Documo").click()
        assert await page.get_by_label("SAML response").is_visible()
        assert await visitor.axe() == []

        for path in (
            "",
            "/method",
            "/basic",
            "/claims",
            "/claims/edit",
            "/certificates",
            "/test",
            "/test?error=Invalid+audience",
        ):
            for theme in THEMES:
                await visitor.look(theme=theme, width=320)
                await visitor.go(HERE + path)
                assert await visitor.axe() == [], path
                assert await visitor.overflow() <= 0, path


async def test_page_reminds_of_a_signing_certificate_near_its_end(hub: Hub, chrome: Browser) -> None:
    await applications.add_application(hub.context, "documo")
    await settings.change_sign_on(hub.context, "documo", {"mode": "saml"})
    async with visiting_centre(chrome, hub) as visitor:
        page = visitor.page
        await visitor.go(HERE)
        await page.get_by_role("heading", name="SAML Signing Certificate").wait_for()
        assert await page.get_by_text("The signing certificate of Documo expires").count() == 0

        await hub.fetch("update signing_certificate set not_after = now() + interval '20 days'")
        for path in (HERE, "/"):
            await visitor.go(path)
            await page.get_by_text("The signing certificate of Documo expires in 19 days").first.wait_for()
