"""A preview of a whole application: making it only reads, applying it writes what it shows, and what changed in between is listed."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import Visitor, first_sign_in, visiting
from tests.support.sign_on_world import Both

pytestmark = pytest.mark.full
HERE = "/apps/documo/provisioning/preview"
WRITES = ("Create", "Update", "Disable", "Delete", "Link", "Enable")
READS = {"GET"}


@pytest.fixture(scope="module")
async def admin(chrome: Browser, up_both: Both) -> AsyncIterator[Visitor]:
    """The first administrator. Provisioning is off: what is written is written by the preview alone."""
    both = up_both
    both.run("lockstep", "pause", "documo")
    async with visiting(chrome, both.up.origin, await first_sign_in(chrome, both.up)) as visitor:
        yield visitor
        assert visitor.said == []


def requests_since(both: Both, moment: datetime) -> list[tuple[str, str]]:
    """What Documo was asked: method and path, and for a write also its body."""
    listed = json.loads(both.run("documo", "requests", "--since", moment.isoformat(), "--limit", "1000", "-o", "json"))
    return [(one["method"], f"{one['path']} {one['request_body'] or ''}") for one in listed["requests"]]


def members(both: Both) -> dict[str, tuple[str, bool]]:
    """Name and whether active, of each member who has been provisioned."""
    listed = json.loads(both.run("documo", "members", "list", "-o", "json"))["members"]
    return {one["user_name"]: (one["name"], one["active"]) for one in listed if one["source"] == "scim"}


async def make(page: Page, button: str) -> str:
    """Make a preview and wait for its end, which the page shows by itself. Returns the path of its page."""
    here = page.url
    await page.get_by_role("button", name=button).click()
    await page.wait_for_url(lambda url: url != here and re.search(rf"{HERE}/\d+", url) is not None)
    await expect(page.get_by_role("button", name="Discard")).to_be_visible()
    return page.url.partition("?")[0]


async def planned_writes(page: Page) -> dict[str, str]:
    """The objects that the preview would write, with the action."""
    found = {}
    for row in (await page.get_by_role("region", name="Planned objects").get_by_role("row").all())[1:]:
        name = re.search(r"\S+@\S+", await row.get_by_role("rowheader").inner_text())
        action = (await row.get_by_role("cell").first.inner_text()).strip()
        if action in WRITES:
            found[name[0] if name else ""] = action
    return found


async def test_preview_only_reads_and_is_applied_exactly_and_what_changed_since_is_shown_as_such(
    up_both: Both, admin: Visitor
) -> None:
    both, page, begun = up_both, admin.page, datetime.now(UTC)
    before = members(both)
    renamed, disabled, drifting = [name for name, (_, active) in sorted(before.items()) if active][:3]
    both.run("lockstep", "people", "set", renamed, "surname=Renamed")
    both.run("lockstep", "people", "set", drifting, "surname=First")
    both.run("lockstep", "people", "disable", disabled)
    await admin.go(HERE)

    first = await make(page, "Make a preview")
    shown = await planned_writes(page)
    assert shown == {renamed: "Update", drifting: "Update", disabled: "Disable"}
    assert {method for method, _ in requests_since(both, begun)} == READS
    assert members(both) == before

    both.run("lockstep", "people", "set", drifting, "surname=Second")
    await make(page, "Preview again")
    await expect(page.get_by_text(re.compile("1 object is planned differently than in preview"))).to_be_visible()
    assert members(both) == before

    applied = datetime.now(UTC)
    await admin.go(first.removeprefix(admin.origin))
    await page.get_by_role("button", name="Apply this preview").click()
    await expect(page.get_by_text("1 object had changed since and was not written")).to_be_visible()
    writes = [text for method, text in requests_since(both, applied) if method not in READS]
    assert len(writes) == 2 and "Renamed" in "".join(writes) and "Second" not in "".join(writes)
    after = members(both)
    assert {name for name in after if after[name] != before[name]} == {renamed, disabled}
    assert after[renamed][0].endswith("Renamed") and not after[disabled][1]

    await page.get_by_role("link", name="Show what was left").click()
    left = page.get_by_role("region", name="Objects that were left").get_by_role("row")
    await expect(left).to_have_count(2)
    await expect(left.nth(1)).to_contain_text(drifting)
    await expect(left.nth(1)).to_contain_text("First")
    await expect(left.nth(1)).to_contain_text("Second")
