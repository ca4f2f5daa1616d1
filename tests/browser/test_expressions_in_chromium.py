"""The expression editor in a browser: the signature around the caret, and the colours of its text."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, expect

from tests.support.browser import Visitor

pytestmark = pytest.mark.full
BUILDER = "/apps/documo/provisioning/expression"
IN_DIALOG = "/apps/documo/provisioning/mappings/user/edit?target=active"


async def editor_with(visitor: Visitor, text: str, *, path: str = BUILDER) -> Locator:
    """The editor after *text* was typed, with the caret at the end and no open completions."""
    await visitor.go(path)
    place = visitor.page.get_by_role("dialog") if path == IN_DIALOG else visitor.page
    editor = place.get_by_label("Expression", exact=True)
    await editor.fill(text)
    await editor.press("End")
    return editor


@pytest.mark.parametrize(
    ("typed", "signature", "argument"),
    [
        ("Join(", "Join(separator, source, ...)", "separator"),
        ('Join(", ", [a], [b], ', "Join(separator, source, ...)", "source"),
        ('Switch([a], "x", "k", ', "Switch(source, default?, key, value, ...)", "value"),
        ('Switch([a], "x", "k", "v", ', "Switch(source, default?, key, value, ...)", "key"),
        ('Join(" ", ToUpper(', "ToUpper(source, culture?)", "source"),
        ('Join(" ", ToUpper([a]), ', "Join(separator, source, ...)", "source"),
        ('Join("a, (b, c", ', "Join(separator, source, ...)", "source"),
    ],
)
async def test_signature_of_the_call_around_the_caret_is_shown_with_the_present_argument(
    visitor: Visitor, typed: str, signature: str, argument: str
) -> None:
    editor = await editor_with(visitor, typed)

    shown = visitor.page.locator(f"#{await editor.get_attribute('aria-describedby')}")
    await expect(shown.locator("code")).to_have_text(signature)
    await expect(shown.locator("strong")).to_have_text(argument)


async def test_help_is_the_usual_one_outside_of_every_call(visitor: Visitor) -> None:
    editor = await editor_with(visitor, "ToUpper([surname]")
    shown = visitor.page.locator("#expression-help")
    await expect(shown).to_contain_text("ToUpper(source, culture?)")

    await editor.press_sequentially(")")

    await expect(shown).to_have_text(
        "Functions and [attributes] are completed as you type. Tab or Enter accepts the selected suggestion."
    )


@pytest.mark.parametrize("path", [BUILDER, IN_DIALOG])
async def test_coloured_text_is_that_of_the_editor_and_has_its_place(visitor: Visitor, path: str) -> None:
    text = 'Switch([department], "Other", "Sales", Join("\\"", [givenName], [surname]), ' + '"a long text" ' * 12
    editor = await editor_with(visitor, text, path=path)
    below = editor.locator("xpath=preceding-sibling::pre")

    await expect(below).to_have_text(text, use_inner_text=False)
    kinds = await below.locator("span").evaluate_all(
        "all => Object.fromEntries(all.map(one => [one.textContent, one.className]))"
    )
    assert {
        "Switch": "token-word",
        "[department]": "token-attribute",
        '"Sales"': "token-text",
        '"\\""': "token-text",
        "(": "token-mark",
    }.items() <= kinds.items()
    assert await _lines(editor, below) == (True, True)


async def _lines(editor: Locator, below: Locator) -> tuple[bool, bool]:
    """Whether both texts have the same height, and the same beginning."""
    heights = [await one.evaluate("one => one.scrollHeight") for one in (editor, below)]
    boxes = [await one.bounding_box() for one in (editor, below)]
    return heights[0] == heights[1], boxes[0] == boxes[1]
