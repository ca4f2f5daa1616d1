"""Every page of both products with the keyboard alone: the order of the focus, menus and dialogs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import (
    DOCUMO_PAGES,
    LOCKSTEP_PAGES,
    THEMES,
    Theme,
    Visitor,
    every_page,
    on_each,
    visiting,
)
from tests.support.keyboard import faults_of_dialog, faults_of_menus, faults_of_walk, ring_of_focus, walked
from tests.support.up_process import Up

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]  # some hundred keys on each of a hundred pages


@pytest.mark.parametrize("theme", THEMES)
async def test_tab_follows_the_page_of_the_admin_centre_with_a_ring_and_comes_round(
    visitor: Visitor, theme: Theme
) -> None:
    found = await faults_of_pages(visitor, await every_page(visitor), theme)

    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", THEMES)
async def test_tab_follows_the_page_of_documo_with_a_ring_and_comes_round(
    chrome: Browser, up: Up, documo_session: Any, theme: Theme
) -> None:
    async with visiting(chrome, up.documo_origin, documo_session) as visitor:
        pages = await every_page(visitor, of=DOCUMO_PAGES)

        found = await faults_of_pages(visitor, pages, theme)

    assert not found, "\n".join(found)


async def test_menus_and_dialogs_of_every_page_open_move_and_close_with_keys(
    chrome: Browser, up: Up, session: Any, documo_session: Any
) -> None:
    found: list[str] = []
    dialogs = 0
    for origin, state, package in (
        (up.origin, session, LOCKSTEP_PAGES), (up.documo_origin, documo_session, DOCUMO_PAGES),
    ):  # fmt: skip
        async with visiting(chrome, origin, state) as visitor:
            await visitor.look()
            for path in await every_page(visitor, of=package):
                await visitor.go(path)
                is_dialog = await visitor.page.locator("dialog:modal").count() == 1
                faults = faults_of_dialog if is_dialog else faults_of_menus
                found += [f"{path} {line}" for line in await faults(visitor.page)]
                dialogs += is_dialog

    assert not found, "\n".join(found)
    assert dialogs > 5


async def test_the_list_of_keys_keeps_the_focus_inside_and_gives_it_back(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go("/apps")
    opener = page.get_by_role("button", name="Keyboard shortcuts")
    await opener.focus()

    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert await faults_of_dialog(page, opener="button[data-opens=keys]") == []


async def test_each_stop_in_the_palette_shows_where_it_is(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go("/")

    await page.keyboard.press("Control+k")
    await page.keyboard.type("audit")
    await page.locator("#palette-results [data-found=audit]").wait_for(
        state="attached"
    )  # and not those for fewer letters
    results = page.get_by_role("dialog").get_by_role("link")
    rings = [await ring_of_focus(page)]
    await page.keyboard.press("ArrowDown")
    await expect(results.first).to_be_focused()
    rings.append(await ring_of_focus(page))

    assert min(rings) >= 3


async def test_a_page_that_keeps_the_focus_or_hides_its_ring_is_found(visitor: Visitor) -> None:
    await visitor.look()
    await visitor.go("/users")
    await _hide_rings_of(visitor.page, ".chip")
    await visitor.page.evaluate(
        "() => document.querySelector('.chips').style.setProperty('flex-direction', 'row-reverse')"
    )
    found = await faults_of_walk(visitor.page, has_way_back=False)

    await visitor.page.evaluate(
        "() => document.querySelector('.chips a').addEventListener('keydown', (event) => event.preventDefault())"
    )
    with pytest.raises(AssertionError, match="does not come round"):
        await walked(visitor.page)

    assert any(line.startswith('no ring: a "All') for line in found)
    assert any(line.startswith('order: a "Enabled') for line in found)


async def faults_of_pages(visitor: Visitor, paths: Sequence[str], theme: Theme) -> list[str]:
    async def inspect(one: Visitor, path: str) -> list[str]:
        await one.look(theme=theme, width=1280)
        return [f"{path} {line}" for line in await faults_of_walk(one.page, has_way_back=theme == "light")]

    return await on_each(visitor, paths, inspect)


async def _hide_rings_of(page: Page, selector: str) -> None:
    await page.evaluate(
        """(selector) => {
            const sheet = new CSSStyleSheet();
            sheet.replaceSync(`${selector}:focus-visible { outline: none !important; }`);
            document.adoptedStyleSheets = [sheet];
        }""",
        selector,
    )
