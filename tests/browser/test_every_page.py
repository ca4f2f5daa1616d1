"""What holds for every page that links lead to, in both themes."""

from __future__ import annotations

import subprocess

import pytest
from playwright.async_api import Browser

from lockstep.actions.permissions import Permission
from tests.support.browser import EMAIL, THEMES, Theme, Visitor, every_page, visiting
from tests.support.up_process import BIN, Up

pytestmark = pytest.mark.full


@pytest.mark.parametrize("theme", THEMES)
async def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(visitor: Visitor, theme: Theme) -> None:
    found: list[str] = []
    pages = await every_page(visitor)

    for path in pages:
        await visitor.look(theme=theme, width=1280)
        await visitor.go(path)
        found += [f"{path} {line}" for line in await visitor.axe()]
        await visitor.look(theme=theme, width=320)
        found += [f"{path} at 320 px {line}" for line in await visitor.axe()]
        if (by := await visitor.overflow()) > 0:
            found.append(f"{path} is {by} px too wide at 320 px")

    assert not found, "\n".join(found)
    assert {"/", "/apps"} <= set(pages)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", ["/sign-in?next=/apps", "/myapps/sign-in", "/myapps/signed-out"])
async def test_axe_finds_nothing_serious_on_the_pages_before_signing_in(
    chrome: Browser, up: Up, theme: Theme, path: str
) -> None:
    async with visiting(chrome, up.origin) as visitor:
        await visitor.look(theme=theme)
        await visitor.go(path)

        assert await visitor.axe() == []
        assert visitor.said == []


async def test_every_page_has_one_heading_a_title_and_its_landmarks(visitor: Visitor) -> None:
    for path in await every_page(visitor):
        await visitor.go(path)
        page = visitor.page

        assert await page.get_by_role("heading", level=1).count() == 1, path
        assert (await page.title()).endswith(" - Lockstep"), path
        assert await page.get_by_role("main").count() == 1, path
        assert await page.get_by_role("navigation", name="Main").count() == 1, path
        text = await page.inner_text("body")
        assert [word for word in ("undefined", "[object Object]", "NaN", "None None") if word in text] == [], path


async def test_long_values_of_an_audit_entry_wrap_on_a_phone(visitor: Visitor, up: Up) -> None:
    scopes = [word for one in Permission if one.value.endswith(".read") for word in ("--scope", one.value)]
    command = [str(BIN / "lockstep"), "--data", str(up.data), "token", "create", "all", "--owner", EMAIL, *scopes]
    subprocess.run(command, capture_output=True, check=True)

    await visitor.look(width=320)
    await visitor.go("/logs/audit")
    await visitor.page.get_by_role("link", name="Create token").first.click()

    await visitor.page.get_by_role("heading", level=1, name="Create token: all").wait_for()
    assert await visitor.overflow() == 0
