"""The frame as a person uses it: keys, menus, theme, a narrow window, live updates."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, Locator, Route, expect

from lockstep.actions import applications
from lockstep.actions.permissions import Role
from tests.support.admin_centre import serving_centre
from tests.support.browser import Visitor, visiting
from tests.support.hub import Hub
from tests.support.up_process import Up

pytestmark = pytest.mark.full
PAUSE = 3_000  # milliseconds: longer than a page waits before it reads its parts again
COUNTED_NOTICES = """
let notices = 0, waiting = [];
window.told = (number) => new Promise((done) => { waiting.push([number, done]); settle(); });
function settle() { waiting = waiting.filter(([number, done]) => notices < number || done()); }
window.EventSource = class extends EventSource {
  addEventListener(name, hear, ...more) {
    super.addEventListener(name, (event) => { hear(event); if (!["open", "beat"].includes(name)) { notices += 1; settle(); } }, ...more);
  }
};
"""


async def test_keys_lead_to_pages_and_the_list_of_keys_closes_with_escape(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go("/")

    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await expect(page.get_by_role("heading", name="Enterprise applications")).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_e_edits_the_row_with_the_focus_and_nothing_without_one(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go("/apps/documo/provisioning/mappings/user")

    await page.keyboard.press("e")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await expect(page.get_by_role("link", name="Edit active")).to_be_focused()
    await page.keyboard.press("e")

    await expect(page.get_by_role("dialog", name="Edit Attribute")).to_be_visible()
    assert page.url.endswith("/edit?target=active")


async def test_the_first_tab_leads_to_the_content(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go("/apps")

    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")

    assert await page.evaluate("() => document.activeElement.id") == "main"


async def test_the_chosen_theme_stays_and_is_there_before_the_first_paint(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.look(theme="light")
    await visitor.go("/")

    await page.get_by_role("group").filter(has=page.get_by_label("Theme")).first.locator("summary").click()
    async with page.expect_response("**/look"):
        await page.get_by_role("menuitemradio", name="Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    html = await (await page.request.get(visitor.origin + "/")).text()

    assert 'data-theme="dark"' in html.partition(">")[0] + html[:200]
    assert await page.evaluate("() => getComputedStyle(document.body).colorScheme || true")
    await page.request.post(visitor.origin + "/look")  # refused: it carries no token


async def test_a_narrow_window_has_the_rail_behind_a_button(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.look(width=390)
    await visitor.go("/")

    await expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    await page.get_by_role("link", name="Menu").click()
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Applications").click()

    await expect(page.get_by_role("heading", name="Enterprise applications")).to_be_visible()


async def test_filtering_as_one_types_puts_the_filter_into_the_address(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go("/apps")

    await page.get_by_role("searchbox", name="Filter by name").fill("nothing is called so")

    await expect(page.get_by_text("No application matches this filter")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"name=nothing"))
    await page.go_back()
    await expect(page.get_by_role("rowheader", name="Documo")).to_be_visible()


@asynccontextmanager
async def auditing(chrome: Browser, hub: Hub, role: Role = Role.AUDITOR) -> AsyncIterator[Visitor]:
    """The page of an administrator who may see the applications, of which there is one: Documo."""
    async with serving_centre(hub) as centre:
        secret = await centre.new_session(role)
        await applications.add_application(hub.context, "documo")
        await centre.live.connected.wait()
        async with visiting(chrome, centre.origin) as visitor:
            await visitor.page.context.add_cookies(
                [{"name": "lockstep_session", "value": secret, "url": centre.origin}]
            )
            yield visitor
            assert visitor.said == []


@dataclass
class LateAnswer:
    """An answer that the server has given, and that reaches the page only when the test says so."""

    is_read: asyncio.Event = field(default_factory=asyncio.Event)
    may_arrive: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrive(self, route: Route) -> None:
        answer = await route.fetch()
        self.is_read.set()
        await self.may_arrive.wait()
        await route.fulfill(response=answer)


async def count_notices(visitor: Visitor) -> None:
    """Count the notices that the page gets once it is opened, and let the test move its clock."""
    await visitor.page.clock.install()
    await visitor.page.add_init_script(COUNTED_NOTICES)


async def a_notice_and_its_pause(visitor: Visitor, number: int) -> None:
    """Wait until the page got this many notices, and let the pause pass after which it reads its parts again."""
    await visitor.page.evaluate("number => window.told(number)", number)
    await visitor.page.clock.run_for(PAUSE)


async def add(hub: Hub, name: str) -> None:
    await applications.add_application(hub.context, "documo", name=name, display_name=f"The {name}")


def row(visitor: Visitor, name: str) -> Locator:
    return visitor.page.get_by_role("rowheader", name=f"The {name}")


async def test_an_open_page_shows_a_change_without_being_reloaded(chrome: Browser, hub: Hub) -> None:
    async with auditing(chrome, hub) as visitor:
        await visitor.go("/apps")
        await expect(visitor.page.get_by_role("rowheader", name="Documo")).to_be_visible()

        await add(hub, "second")

        await expect(row(visitor, "second")).to_be_visible()


async def test_an_open_page_shows_a_change_that_happened_before_it_listened(chrome: Browser, hub: Hub) -> None:
    async with auditing(chrome, hub) as visitor:
        may_listen = asyncio.Event()

        async def wait(route: Route) -> None:
            await may_listen.wait()
            await route.continue_()

        await visitor.page.route("**/events*", wait)
        await visitor.go("/apps")
        await add(hub, "second")
        may_listen.set()

        await expect(row(visitor, "second")).to_be_visible()


async def test_a_change_that_happens_while_the_page_is_read_again_is_shown_too(chrome: Browser, hub: Hub) -> None:
    async with auditing(chrome, hub) as visitor:
        await count_notices(visitor)
        await visitor.go("/apps")
        late = LateAnswer()
        await visitor.page.route("**/apps", late.arrive, times=1)
        await add(hub, "second")
        await a_notice_and_its_pause(visitor, 1)
        await late.is_read.wait()
        await add(hub, "third")
        await a_notice_and_its_pause(visitor, 2)
        async with visitor.page.expect_response("**/apps"):
            late.may_arrive.set()
        await expect(row(visitor, "second")).to_be_visible()
        await visitor.page.clock.run_for(PAUSE)

        await expect(row(visitor, "second")).to_be_visible()
        await expect(row(visitor, "third")).to_be_visible()


async def test_a_change_is_shown_although_the_server_failed_once(chrome: Browser, hub: Hub) -> None:
    async with auditing(chrome, hub) as visitor:
        await visitor.go("/apps")
        await visitor.page.route("**/apps", lambda route: route.fulfill(status=503), times=1)

        await add(hub, "second")

        await expect(row(visitor, "second")).to_be_visible(timeout=15_000)
        visitor.said.clear()  # the browser reports the 503


async def test_an_application_that_was_chosen_stays_chosen_until_it_is_let_go_although_the_list_changes(
    chrome: Browser, hub: Hub
) -> None:
    async with auditing(chrome, hub, Role.GLOBAL_ADMINISTRATOR) as visitor:
        page = visitor.page
        await hub.fetch("update job set status = 'on', started = true")
        await count_notices(visitor)
        await visitor.go("/apps")
        box = page.get_by_role("checkbox", name="Select Documo")
        await box.check()
        await page.get_by_role("button", name="Pause selected").focus()
        read_again: list[str] = []
        page.on("request", lambda request: read_again.append(request.url))

        await add(hub, "second")
        await a_notice_and_its_pause(visitor, 1)
        assert read_again == []
        await expect(box).to_be_checked()
        await expect(row(visitor, "second")).to_have_count(0)
        await box.uncheck()
        await page.get_by_role("button", name="Pause selected").focus()
        await page.clock.run_for(PAUSE)

        await expect(row(visitor, "second")).to_be_visible()


async def test_an_application_that_is_chosen_while_the_page_is_read_again_stays_chosen(
    chrome: Browser, hub: Hub
) -> None:
    async with auditing(chrome, hub, Role.GLOBAL_ADMINISTRATOR) as visitor:
        page = visitor.page
        await hub.fetch("update job set status = 'on', started = true")
        await visitor.go("/apps")
        late = LateAnswer()
        await page.route("**/apps", late.arrive, times=1)
        await add(hub, "second")
        await late.is_read.wait()
        box = page.get_by_role("checkbox", name="Select Documo")
        await box.check()
        await page.get_by_role("button", name="Pause selected").focus()
        async with page.expect_response("**/apps"):
            late.may_arrive.set()
        await page.get_by_role("button", name="Pause selected").click()

        await expect(page.get_by_text("1 application paused")).to_be_visible()


HIDDEN = """(is) => {
    Object.defineProperty(document, "hidden", {value: is, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_a_hidden_page_listens_to_nothing_and_shows_what_happened_when_it_is_looked_at(
    chrome: Browser, hub: Hub
) -> None:
    async with auditing(chrome, hub) as visitor:
        listened: list[str] = []
        visitor.page.on("request", lambda one: listened.append(one.url) if "/events" in one.url else None)
        async with visitor.page.expect_response("**/events*"):
            await visitor.go("/apps")
        async with visitor.page.expect_event("requestfailed", lambda one: "/events" in one.url):
            await visitor.page.evaluate(HIDDEN, True)

        await add(hub, "second")
        await visitor.page.evaluate(HIDDEN, False)

        await expect(row(visitor, "second")).to_be_visible()
        assert len(listened) == 2


async def test_signing_in_and_out_works_without_script(chrome: Browser, up: Up, session: object) -> None:
    async with visiting(chrome, up.origin, has_script=False) as visitor:
        page = visitor.page
        await visitor.go("/apps?show=on")
        await page.get_by_label("Email").fill("ada@contoso.test")
        await page.get_by_label("Password").fill("a sentence of five words")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Enterprise applications")).to_be_visible()
        assert page.url.endswith("/apps?show=on")

        await page.get_by_label("Account").click()
        await page.get_by_role("button", name="Sign out").click()

        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_page_asks_by_itself_while_a_proxy_refuses_its_live_updates(chrome: Browser, hub: Hub) -> None:
    async with auditing(chrome, hub) as visitor:
        page = visitor.page
        await page.clock.install()
        await page.route("**/events*", lambda route: route.fulfill(status=502))
        await visitor.go("/apps")
        await expect(page.get_by_role("rowheader", name="Documo")).to_be_visible()
        await add(hub, "second")

        async with page.expect_response("**/apps"):
            await page.clock.run_for(30_000)

        await expect(row(visitor, "second")).to_be_visible()
        await expect(page.get_by_role("status").filter(has_text="Live updates paused")).to_be_hidden()
        visitor.said.clear()  # the browser tells of each stream that it could not open


async def test_a_page_asks_by_itself_while_a_proxy_holds_its_live_updates_back(chrome: Browser, hub: Hub) -> None:
    async with auditing(chrome, hub) as visitor:
        page, never = visitor.page, asyncio.Event()

        async def hold_back(route: Route) -> None:
            await never.wait()
            await route.abort()

        await page.clock.install()
        await page.route("**/events*", hold_back)
        await visitor.go("/apps")
        await add(hub, "second")

        async with page.expect_response("**/apps"):
            await page.clock.run_for(30_000)

        await expect(row(visitor, "second")).to_be_visible()
        never.set()
        visitor.said.clear()


async def test_a_page_without_live_updates_says_since_when_and_gets_them_back_at_once(visitor: Visitor) -> None:
    page, begun = visitor.page, datetime.now(UTC)
    note = page.get_by_role("status").filter(has_text="Live updates paused")
    await page.clock.install(time=begun)
    await page.route("**/events*", lambda route: route.abort())
    await visitor.go("/apps")
    await page.route("**/apps", lambda route: route.abort())
    await expect(note).to_be_hidden()

    await page.clock.run_for(60_000)
    await expect(note).to_contain_text(re.compile(r"last data \d+:\d\d"))
    await expect(page.get_by_role("heading", name="Enterprise applications")).to_be_visible()
    await page.clock.pause_at(begun + timedelta(hours=1))  # no timer fires any more
    await page.unroute("**/events*")
    await page.unroute("**/apps")
    async with page.expect_response("**/events*"):
        await note.get_by_role("button", name="Retry").click()

    await expect(note).to_be_hidden()
    visitor.said.clear()  # the browser tells of each stream that it could not open
