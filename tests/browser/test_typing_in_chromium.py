"""The page always shows the result for the last input, even if it was typed before the page was ready, or if responses fail, are late or
arrive in another order.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.support.browser import Visitor

pytestmark = pytest.mark.full

# Keeps back what a page wants to do once it is loaded, until `begin()` is called.
KEPT_BACK = """
    const [later, kept] = [window.setTimeout, []];
    window.setTimeout = (task, pause, ...rest) => (pause === undefined ? kept.push(task) : later(task, pause, ...rest));
    window.begin = () => { window.setTimeout = later; kept.forEach((task) => task()); };
"""


def _results(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Command palette")


def _text_of(route: Route, field: str) -> str:
    return parse_qs(urlsplit(route.request.url).query).get(field, [""])[0]


class TestPalette:
    async def test_text_that_is_typed_before_htmx_is_ready_is_searched_for(self, visitor: Visitor) -> None:
        page = visitor.page
        await page.add_init_script(KEPT_BACK)
        await visitor.go("/")

        await page.keyboard.press("Control+k")
        await page.keyboard.type("orphans")
        await page.evaluate("window.begin()")

        await expect(_results(page).get_by_role("link", name="Documo: Links")).to_be_visible()

    async def test_places_are_offered_although_the_field_had_the_focus_before_htmx_was_ready(
        self, visitor: Visitor
    ) -> None:
        page = visitor.page
        await page.add_init_script(KEPT_BACK)
        await visitor.go("/")

        await page.keyboard.press("Control+k")
        await page.evaluate("window.begin()")

        await expect(_results(page).get_by_role("link", name="Enterprise applications")).to_be_visible()

    async def test_text_that_was_deleted_and_typed_again_is_searched_for_again(self, visitor: Visitor) -> None:
        page = visitor.page
        await visitor.go("/")
        await page.keyboard.press("Control+k")
        field = page.get_by_role("searchbox", name="Search people, apps, actions")
        orphans = _results(page).get_by_role("link", name="Documo: Links")

        await field.fill("orphans")
        await expect(orphans).to_be_visible()
        await field.fill("")
        await expect(orphans).to_be_hidden()
        await field.fill("orphans")

        await expect(orphans).to_be_visible()

    @pytest.mark.parametrize("status", [429, 500, 503, 0])
    async def test_a_search_that_failed_is_repeated_by_itself(self, visitor: Visitor, status: int) -> None:
        page = visitor.page
        failed: list[int] = []

        async def fail_once(route: Route) -> None:
            if _text_of(route, "q") != "orphans" or failed:
                await route.continue_()
                return
            failed.append(status)
            await (route.fulfill(status=status, body="<p>Not now</p>") if status else route.abort())

        await page.route("**/search/palette*", fail_once)
        await visitor.go("/")
        await page.keyboard.press("Control+k")
        await page.keyboard.type("orphans")

        await expect(_results(page).get_by_role("link", name="Documo: Links")).to_be_visible()
        assert failed == [status]
        visitor.said.clear()  # the browser says on its console that a request failed

    async def test_an_old_answer_that_comes_late_does_not_replace_the_new_one(self, visitor: Visitor) -> None:
        page, came = visitor.page, asyncio.Event()

        async def keep_back(route: Route) -> None:
            if _text_of(route, "q") == "audit":
                await came.wait()
            await route.continue_()

        await page.route("**/search/palette*", keep_back)
        await visitor.go("/")
        await page.keyboard.press("Control+k")
        async with page.expect_request(re.compile("q=audit$")):
            await page.keyboard.type("audit")
        await page.keyboard.press("Control+a")
        await page.keyboard.type("orphans")
        await expect(_results(page).get_by_role("link", name="Documo: Links")).to_be_visible()
        came.set()

        await page.evaluate("fetch('/search/palette?q=last').then((answer) => answer.text())")
        await expect(_results(page).get_by_role("link", name="Documo: Links")).to_be_visible()


async def test_a_list_is_filtered_by_text_that_is_typed_before_htmx_is_ready(visitor: Visitor) -> None:
    page = visitor.page
    await page.add_init_script(KEPT_BACK)
    await visitor.go("/users")

    await page.get_by_role("searchbox", name="Search people", exact=True).fill("kim.berg")
    await page.evaluate("window.begin()")

    await expect(page.get_by_role("row")).to_have_count(2)
    await expect(page).to_have_url(re.compile("kim.berg"))


async def test_a_list_stays_and_is_filtered_later_if_the_server_failed(visitor: Visitor) -> None:
    page = visitor.page
    failed: list[int] = []

    async def fail_once(route: Route) -> None:
        if "hx-request" not in route.request.headers or failed:
            await route.continue_()
            return
        failed.append(500)
        await route.fulfill(status=500, headers={"X-Whole-Page": "yes"}, body="<main>Something went wrong</main>")

    await page.route("**/users?*", fail_once)
    await visitor.go("/users")
    await page.get_by_role("searchbox", name="Search people", exact=True).fill("kim.berg")

    await expect(page.get_by_text("The server does not respond")).to_be_visible()
    await expect(page.get_by_role("row")).to_have_count(2)
    visitor.said.clear()  # the browser says on its console that a request failed


async def test_the_last_text_of_three_is_what_the_list_of_people_to_add_shows(visitor: Visitor) -> None:
    page, came = visitor.page, asyncio.Event()
    asked: list[str] = []

    async def keep_the_first_back(route: Route) -> None:
        if "hx-request" in route.request.headers:
            asked.append(_text_of(route, "search"))
            if len(asked) == 1:
                await came.wait()
        await route.continue_()

    await page.route("**/users-groups/add*", keep_the_first_back)
    await visitor.go("/apps/documo/users-groups/add")
    field = page.get_by_role("searchbox", name="Search users and groups")
    for text in ("anna", "lena"):
        async with page.expect_request(re.compile(f"search={text}$|search={text}&")):
            await field.fill(text)
    await field.fill("kim.berg")
    came.set()

    await expect(page.get_by_role("checkbox", name=re.compile("kim.berg"))).to_be_visible()
    await expect(page.get_by_role("checkbox", name=re.compile("anna|lena"))).to_have_count(0)


async def test_a_chosen_person_stays_chosen_during_a_search_that_sends_no_token(visitor: Visitor) -> None:
    page = visitor.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await visitor.go("/apps/documo/users-groups/add")

    await page.get_by_role("checkbox", name=re.compile("documo-admins")).check()
    await page.get_by_role("searchbox", name="Search users and groups").fill("kim.berg")
    await expect(page.get_by_role("checkbox", name=re.compile("kim.berg"))).to_be_visible()
    await expect(page.get_by_role("checkbox", name=re.compile("documo-admins"))).to_be_checked()
    await page.get_by_role("main").get_by_role("button", name="Search").click()
    await expect(page.get_by_role("checkbox", name=re.compile("documo-admins"))).to_be_checked()
    await page.get_by_role("button", name="Continue").click()

    await expect(page.get_by_role("heading", name="Review the change")).to_be_visible()
    assert [url for url in asked if "csrf" in url] == []


async def test_the_consequence_of_a_choice_is_said_although_it_was_made_before_htmx_was_ready(visitor: Visitor) -> None:
    page = visitor.page
    await page.add_init_script(KEPT_BACK)
    await visitor.go("/apps/documo/provisioning/settings")

    await page.get_by_label("Scope", exact=True).select_option(label="Sync all users and groups")
    await page.evaluate("window.begin()")

    await expect(page.get_by_text(re.compile("^Saving"))).to_be_visible()


async def test_an_empty_part_that_is_late_shows_a_skeleton_and_one_with_content_a_line(visitor: Visitor) -> None:
    page, answered = visitor.page, asyncio.Event()

    async def keep_back(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await visitor.go("/apps/documo/provisioning/expression")
    outcome, editor = page.locator("#outcome"), page.get_by_label("Expression", exact=True)
    await page.route("**/provisioning/expression", keep_back)
    await outcome.evaluate("one => one.replaceChildren()")
    await editor.fill("ToUpper([surname])")
    await expect(outcome).to_have_attribute("aria-busy", "true")
    await expect(outcome).to_have_attribute("data-skeleton", "")
    answered.set()
    await expect(outcome.get_by_role("definition").first).to_be_visible()
    await expect(outcome).not_to_have_attribute("aria-busy", "true")

    answered.clear()
    await editor.fill("ToLower([surname])")
    await expect(outcome).to_have_attribute("aria-busy", "true")
    await expect(outcome).not_to_have_attribute("data-skeleton", "")
    answered.set()
    await expect(outcome).not_to_have_attribute("aria-busy", "true")
