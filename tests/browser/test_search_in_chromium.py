"""The command palette by keyboard alone: a question ends at the explanation, and the focus comes back."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.support.browser import Visitor

pytestmark = pytest.mark.full


async def test_a_question_in_the_palette_leads_to_the_explanation_with_four_keys(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go("/")

    await page.keyboard.press("Control+k")
    await page.keyboard.type("why is kim.berg not in documo")
    palette = page.get_by_role("dialog", name="Command palette")
    await expect(palette.get_by_role("link", name=re.compile("Why is Kim Berg in or out of Documo"))).to_be_visible()
    assert await visitor.axe() == []
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", level=1, name="Kim Berg in Documo")).to_be_visible()
    await expect(page.get_by_text("Matching account")).to_be_visible()


async def test_arrows_move_through_the_results_and_escape_gives_the_focus_back(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go("/users")
    search = page.get_by_role("searchbox", name="Search people", exact=True)
    await search.focus()

    await page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Command palette")
    await expect(palette.get_by_role("link", name="Enterprise applications")).to_be_visible()
    await page.keyboard.type("audit")
    await expect(palette.get_by_role("link", name="Enterprise applications")).to_be_hidden()
    result = palette.get_by_role("link", name="Audit logs")
    await page.keyboard.press("ArrowDown")
    await expect(result).to_be_focused()
    await page.keyboard.press("Escape")

    await expect(palette).to_be_hidden()
    await expect(search).to_be_focused()


async def test_a_rule_counts_while_it_is_typed_and_makes_the_group(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go("/groups")

    await page.get_by_role("link", name="New group").click()
    await page.get_by_role("link", name="Members by rule").click()
    await page.get_by_label("Name", exact=True).fill("Sellers by department")
    await page.get_by_label("Attribute").fill("departmen")
    await page.get_by_label("Value").fill("Sales")
    await expect(page.get_by_text('did you mean "department"?')).to_be_visible()
    await page.get_by_label("Attribute").fill("department")
    await expect(page.get_by_text(re.compile(r"\d+ people match: \d+ would join"))).to_be_visible()
    await page.get_by_role("button", name="Create", exact=True).click()

    await expect(page.get_by_role("heading", level=1, name="Sellers by department")).to_be_visible()
    await expect(page.get_by_text('department EQUALS "Sales"')).to_be_visible()
    assert await visitor.axe() == []
