"""What a window shows is in its address, follows the system's theme and the choice of keys, and needs no network."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, Request, async_playwright, expect

from lockstep.actions import applications
from lockstep.postgres.pool import transaction
from lockstep.storage import provisioning_log
from lockstep.storage.log_record import LoggedError, LogRecord
from tests.support.browser import CHROMIUM, Visitor
from tests.support.hub import Hub
from tests.support.lockstep_browser import visiting_centre

pytestmark = pytest.mark.full
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
PAGES = ("/", "/apps", "/apps/documo/provisioning/settings", "/logs/provisioning", "/users")
LOGGED = [("anna", "success"), ("bo", "failure"), ("cy", "success"), ("di", "failure"), ("ed", "skipped")]


def record(who: str, status: str) -> LogRecord:
    error = LoggedError("DuplicateTargetEntries", f"{who} was refused", "Choose one") if status == "failure" else None
    ids = str(uuid4()), str(uuid4())
    return LogRecord(*ids, None, "create", status, "User", None, who, f"About {who}", "system", error=error)


@pytest.fixture
async def visitor(chrome: Browser, hub: Hub) -> AsyncIterator[Visitor]:
    """A log with five entries, two of them about failures."""
    app = await applications.add_application(hub.context, "documo")
    async with transaction(hub.pool) as connection:
        await provisioning_log.append(connection, app.job, app.id, [record(*one) for one in LOGGED])
    async with visiting_centre(chrome, hub) as visitor:
        yield visitor


async def identities(page: Page) -> list[str]:
    rows = page.get_by_role("region", name="Provisioning logs").get_by_role("rowheader")
    await expect(rows.first).to_be_visible()
    return [(await one.inner_text()).split("\n")[0] for one in await rows.all()]


async def test_filter_is_in_the_address_for_a_new_tab_and_the_back_button_and_decides_what_is_downloaded(
    visitor: Visitor,
) -> None:
    page = visitor.page
    await visitor.go("/logs/provisioning")
    everyone = await identities(page)
    assert sorted(everyone) == [who for who, _ in LOGGED]

    await page.get_by_label("Status", exact=True).select_option("Failure")
    await expect(page).to_have_url(re.compile("status=failure"))
    await expect(page.get_by_text("2 entries on this page")).to_be_visible()
    failing = await identities(page)
    other = await page.context.new_page()
    await other.goto(page.url)
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Download CSV").click()
    text = Path(await (await waiting.value).path()).read_text()

    assert sorted(failing) == ["bo", "di"]
    assert await identities(other) == failing
    assert len(list(csv.DictReader(io.StringIO(text)))) == 2
    assert [who for who, _ in LOGGED if who in re.split(r"\W", text)] == ["bo", "di"]
    await page.go_back()
    await expect(page.get_by_text("5 entries on this page")).to_be_visible()
    assert await identities(page) == everyone


async def test_theme_follows_the_system_until_one_is_chosen_which_then_stays(visitor: Visitor) -> None:
    page = visitor.page

    async def background() -> str:
        return str(await page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor"))

    await visitor.look(theme="light")
    await visitor.go("/apps")
    light = await background()
    await visitor.look(theme="dark")
    dark = await background()
    assert (light, dark) == ("rgb(251, 251, 252)", "rgb(14, 16, 20)")

    await page.get_by_role("banner").get_by_label("Theme").first.click()
    async with page.expect_response("**/look"):
        await page.get_by_role("menuitemradio", name="Light").click()
    await page.reload()
    assert await background() == light
    await visitor.go("/users")
    assert await background() == light


async def test_single_keys_do_nothing_once_they_are_switched_off_and_others_still_work(visitor: Visitor) -> None:
    page, keys = visitor.page, visitor.page.get_by_role("dialog", name="Keyboard shortcuts")
    await visitor.go("/users")
    await page.get_by_role("button", name="Keyboard shortcuts").click()
    await keys.get_by_role("button", name="Switch off").click()
    await page.wait_for_load_state()

    for key in ("?", "g", "a", "j", "/"):
        await page.keyboard.press(key)
        assert await page.evaluate("() => document.activeElement === document.body"), key
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()
    assert page.url.endswith("/users")
    await expect(keys).to_be_hidden()

    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Keyboard shortcuts").click()
    await keys.get_by_role("button", name="Switch on").click()
    await page.wait_for_load_state()
    await page.keyboard.press("?")
    await expect(keys).to_be_visible()


def is_missing(request: Request) -> bool:
    """Whether the page lacks what it asked for. Loading a page again ends the requests that are under way."""
    return request.failure != "net::ERR_ABORTED"


async def test_pages_are_complete_in_a_browser_without_network_and_when_they_are_loaded_again(hub: Hub) -> None:
    await applications.add_application(hub.context, "documo")
    async with async_playwright() as playwright:
        alone = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", NO_NETWORK])
        async with visiting_centre(alone, hub) as visitor:
            failed: list[str] = []
            visitor.page.on(
                "requestfailed", lambda one: failed.append(f"{one.url}: {one.failure}") if is_missing(one) else None
            )
            for path in PAGES:
                await visitor.go(path)
                await visitor.page.reload()
                await visitor.page.get_by_role("heading", level=1).wait_for()
                fonts = "() => document.fonts.ready.then(() => document.fonts.check('13px Inter'))"
                assert await visitor.page.evaluate(fonts), path
            assert failed == []
        await alone.close()
