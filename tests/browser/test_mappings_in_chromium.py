"""Mappings, scoping filters and expressions in a browser: what is shown during typing is what is saved and written."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from playwright.async_api import Page, expect

from lockstep.engine.rules.operators import OPERATORS
from tests.support.browser import THEMES, Theme, Visitor
from tests.support.up_process import BIN, Up

pytestmark = pytest.mark.full
PROVISIONING = "/apps/documo/provisioning"
MAPPING = f"{PROVISIONING}/mappings/user"
# States that no link leads to; `test_every_page` follows the links.
STATES = (
    f"{MAPPING}?person=nobody",
    f"{MAPPING}/edit?target=active",
    f"{MAPPING}/attributes",
    f"{PROVISIONING}/expression?expression=ToUpper(%5Bsurname%5D",
    f"{PROVISIONING}/expression?expression=ToUpper(%5Bsurname%5D)",
)


async def test_an_expression_is_completed_in_the_dialog_too(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go(f"{MAPPING}/edit?target=active")
    editor = page.get_by_role("dialog").get_by_label("Expression", exact=True)
    await editor.fill("")
    await editor.press_sequentially("[depart")
    await expect(page.get_by_role("option", name=re.compile("department"))).to_be_visible()
    await editor.press("Escape")
    await expect(page.get_by_role("dialog", name="Edit Attribute")).to_be_visible()
    await expect(page.get_by_role("listbox", name="Completions")).to_have_count(0)


async def sample_person(page: Page) -> str:
    """The user principal name of the person that the mapping is previewed with."""
    return await page.get_by_label("Preview with").input_value()


async def test_the_value_shown_for_a_person_is_the_one_that_the_application_gets(visitor: Visitor, up: Up) -> None:
    page = visitor.page
    await visitor.go(MAPPING)
    who = await sample_person(page)
    await page.get_by_role("link", name="Edit name.familyName").click()
    dialog = page.get_by_role("dialog", name="Edit Attribute")
    await dialog.get_by_label("Mapping type").select_option("Expression")
    await dialog.get_by_label("Expression", exact=True).fill("ToUpper([surname])")
    await expect(dialog.get_by_role("definition").first).to_have_text(re.compile(r"^[^a-z]+$"))
    shown = (await dialog.get_by_role("definition").first.inner_text()).strip()
    await dialog.get_by_role("button", name="OK").click()
    await expect(page.get_by_text(re.compile("Saving re-evaluates "))).to_be_visible()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Attribute-Mapping")).to_be_visible()
    await visitor.go(f"{MAPPING}?person={who}")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="name.familyName"))
    await expect(row).to_contain_text(shown)

    await visitor.go(f"{PROVISIONING}/on-demand?search={who}")
    await page.get_by_role("checkbox").first.check()
    await page.get_by_role("button", name="Preview").click()
    if await page.get_by_role("button", name="Provision", exact=True).is_visible():
        await page.get_by_role("button", name="Provision", exact=True).click()
    await visitor.go(f"{MAPPING}?person={who}")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="name.familyName"))
    await expect(row.get_by_text("same")).to_be_visible()
    command = [str(BIN / "documo"), "members", "list", "--limit", "1000", "--data", str(up.data), "-o", "json"]
    members = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["members"]
    [name] = [one["name"] for one in members if one["user_name"] == who]
    assert name.endswith(f" {shown}")


async def test_an_expression_is_completed_marked_explained_and_used_without_copying(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go(f"{PROVISIONING}/expression")
    editor = page.get_by_label("Expression", exact=True)
    await editor.press_sequentially("ToUp")
    await expect(page.get_by_role("option", name=re.compile("^ToUpper"))).to_be_visible()
    await editor.press("Tab")
    await editor.press_sequentially("[surn")
    await expect(page.get_by_role("option", name=re.compile("surname"))).to_be_visible()
    await editor.press("Enter")
    await expect(editor).to_have_value("ToUpper([surname]")
    await expect(page.get_by_role("alert")).to_contain_text("Character 18")
    await editor.press_sequentially(")")
    await expect(page.get_by_role("region", name="Step by step")).to_contain_text("[surname]")
    await page.get_by_label("Target attribute").fill("name.familyName")
    await page.get_by_role("button", name="Use in mapping").click()
    dialog = page.get_by_role("dialog", name="Edit Attribute")
    await expect(dialog.get_by_label("Expression", exact=True)).to_have_value("ToUpper([surname])")
    await expect(dialog.get_by_label("Target attribute")).to_have_value("name.familyName")


async def test_the_number_that_matches_follows_the_rows_and_is_that_of_the_saved_filter(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go(f"{MAPPING}/scope")
    matches = page.get_by_role("region", name="Who matches")
    await expect(matches).to_contain_text("people match")
    await page.get_by_role("button", name="Add scoping filter").click()
    await page.get_by_label("Scoping Filter Title").fill("Sales only")
    await page.get_by_label("Attribute", exact=True).fill("department")
    operator = page.get_by_label("Operator", exact=True)
    for name in OPERATORS:
        await operator.select_option(name)
    await operator.select_option("EQUALS")
    await page.get_by_label("Value", exact=True).fill("Sales")
    await expect(matches).to_contain_text(
        re.compile(r"\b[1-9]\d* of \d+ people match; \d+ with an account would leave")
    )
    counted = re.search(r"([\d,]+) of ([\d,]+) people match", await matches.inner_text())
    assert counted
    await page.get_by_role("region", name="Unsaved changes").get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Save the Source Object Scope")).to_be_visible()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("link", name="1 scoping filter")).to_be_visible()
    await expect(page.get_by_text(f"{counted[1]} of {counted[2]} people in scope")).to_be_visible()


@pytest.mark.parametrize("theme", THEMES)
async def test_axe_finds_nothing_serious_on_the_pages_of_mappings(visitor: Visitor, theme: Theme) -> None:
    found: list[str] = []
    for path in STATES:
        for width in (1280, 320):
            await visitor.look(theme=theme, width=width)
            await visitor.go(path)
            found += [f"{path} at {width} px {line}" for line in await visitor.axe()]
            if (by := await visitor.overflow()) > 0:
                found.append(f"{path} is {by} px too wide at {width} px")
    assert not found, "\n".join(found)
