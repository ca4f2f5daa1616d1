"""Pages on paper and with the colours of a contrast theme: nothing that matters may depend on a background."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.support.browser import Visitor

pytestmark = pytest.mark.full
SETTINGS = "/apps/documo/provisioning/settings"
OVERVIEW = "/apps/documo/provisioning"


async def test_on_paper_the_content_has_the_whole_width(visitor: Visitor) -> None:
    await visitor.go(OVERVIEW)

    await visitor.page.emulate_media(media="print")

    card = await visitor.page.locator(".card").first.bounding_box()
    assert card is not None
    assert card["width"] > 1000


async def test_a_progress_bar_is_printed(visitor: Visitor) -> None:
    await visitor.go(OVERVIEW)

    await visitor.page.emulate_media(media="print")

    await expect(visitor.page.locator(".progress progress")).to_have_css("print-color-adjust", "exact")


async def test_a_progress_bar_and_dots_are_seen_in_a_contrast_theme(visitor: Visitor) -> None:
    await visitor.go(OVERVIEW)

    await visitor.page.emulate_media(forced_colors="active")

    progress = visitor.page.locator(".progress progress")
    await expect(progress).to_have_css("forced-color-adjust", "none")
    await expect(progress).to_have_css("outline-style", "solid")
    await expect(visitor.page.locator(".dot").first).to_have_css("forced-color-adjust", "none")


async def test_the_present_page_and_choice_are_outlined_in_a_contrast_theme(visitor: Visitor) -> None:
    await visitor.go(SETTINGS)

    await visitor.page.emulate_media(forced_colors="active")

    await expect(visitor.page.locator(".rail-link[aria-current]")).to_have_css("outline-style", "solid")
    await expect(visitor.page.locator(".segments label:has(input:checked)")).to_have_css("outline-style", "solid")
