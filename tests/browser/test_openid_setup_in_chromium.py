"""An administrator sets up OpenID Connect, finding everything by its label, and every page on the way is accessible."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from lockstep.actions import applications, assignments, sources
from tests.support.browser import THEMES
from tests.support.hub import Hub, person, upn, write_csv
from tests.support.lockstep_browser import visiting_centre

pytestmark = pytest.mark.full
HERE = "/apps/wiki/sso"


async def test_an_administrator_sets_up_openid_connect_by_the_labels(hub: Hub, chrome: Browser, tmp_path: Path) -> None:
    config = {"files": [{"path": str(write_csv(tmp_path / "people.csv", [person("anna")]))}]}
    await sources.import_file(hub.context, "staff", config, is_kept=True)
    await applications.add_application(hub.context, "custom-scim", name="wiki", display_name="Wiki")
    await assignments.assign(hub.context, "wiki", users=[upn("anna")])
    async with visiting_centre(chrome, hub) as visitor:
        page = visitor.page
        await visitor.go(HERE)
        await page.get_by_role("button", name="Select OpenID Connect").click()
        await page.get_by_label("Redirect URIs", exact=True).fill("https://wiki.contoso.test/callback")
        await page.get_by_label("Post-logout redirect URIs").fill("https://wiki.contoso.test/bye")
        await page.get_by_label("Back-channel logout URL").fill("https://wiki.contoso.test/out")
        await page.get_by_label("Confidential client").check()
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("link", name="New client secret").click()
        await page.get_by_label("Description").fill("Server in Rome")
        await page.get_by_label("Expires", exact=True).select_option("180 days")
        await page.get_by_role("button", name="Add").click()
        assert len(await page.get_by_label("Client secret", exact=True).locator("pre").inner_text()) > 30
        assert await visitor.axe() == []
        await page.get_by_role("link", name="I have stored it").click()
        await page.get_by_role("button", name="Delete ").click()
        await page.get_by_text("(Server in Rome)?").wait_for()
        assert await visitor.axe() == []
        await page.get_by_role("link", name="Cancel").click()
        await page.get_by_role("link", name="Single sign-on").first.click()
        await page.get_by_role("link", name="Edit Token configuration").click()
        await page.get_by_role("link", name="Add optional claim").click()
        await page.get_by_label("Name", exact=True).fill("department")
        await page.get_by_label("Value").fill("department")
        await page.get_by_text("Sales").wait_for()
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("link", name="Single sign-on").first.click()
        await page.get_by_role("link", name="Test this application").click()
        await page.get_by_text("anna@contoso.test can sign in").wait_for()
        await page.get_by_text("The ID token for Wiki").click()
        assert await page.get_by_label("ID token", exact=True).first.is_visible()
        assert await visitor.axe() == []

        found: list[str] = []
        for path in (
            HERE, f"{HERE}/method", f"{HERE}/authentication", f"{HERE}/secrets", f"{HERE}/claims", f"{HERE}/claims/edit",
            f"{HERE}/test", "/settings/signing-keys", "/settings/people-sign-in",
        ):  # fmt: skip
            for theme in THEMES:
                for width in (1280, 390, 320):
                    await visitor.look(theme=theme, width=width)
                    await visitor.go(path)
                    found += [f"{path} at {width} {line}" for line in await visitor.axe()]
                    if (by := await visitor.overflow()) > 0:
                        found.append(f"{path} is {by} px too wide at {width} px")
        assert found == []
