"""Documo's pages with script: dialogs that show something once, and forms in dialogs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Response
from playwright.async_api import Error as PlaywrightError

from documo.store.database import open_store
from documo.web.sessions import COOKIE
from lockstep.postgres.database import Database
from tests.support.browser import AXE_WIDTHS, DOCUMO_PAGES, THEMES, Visitor, every_page, visiting
from tests.support.documo_client import documo_on
from tests.support.documo_pages import signed_in

pytestmark = pytest.mark.full
KEYS = "/settings/api-keys"
KEPT_BY_THE_BROWSER = """async () => [
    {...localStorage}, {...sessionStorage}, history.state, window.name, document.documentElement.outerHTML,
    (await indexedDB.databases()).map((one) => one.name),
    await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).map((one) => one.url))),
]"""


@pytest.fixture
async def admin(chrome: Browser, documo_database: Database) -> AsyncIterator[Visitor]:
    """An Admin's page at a fresh Documo."""
    async with open_store(documo_database) as store, documo_on(store) as documo:
        async with signed_in(await documo.client()) as ada, visiting(chrome, ada.origin) as visitor:
            cookie = next(one.value for one in ada.http.cookie_jar if one.key == COOKIE)
            await visitor.page.context.add_cookies([{"name": COOKIE, "value": cookie, "url": ada.origin}])
            yield visitor
            assert [line for line in visitor.said if "the server responded with a status of 4" not in line] == []


async def test_new_key_is_shown_until_it_is_stored_and_never_again(admin: Visitor) -> None:
    page = admin.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=admin.origin)
    await admin.go(KEYS)
    await page.get_by_label("Name").fill("Entra")
    await page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog", name="New API key")
    secret = await dialog.get_by_label("API key", exact=True).inner_text()
    assert re.fullmatch(r"dk_live_[0-9a-f]{64}", secret)
    for theme in THEMES:
        for width in AXE_WIDTHS:
            await admin.look(theme=theme, width=width)
            assert await admin.axe() == []

    await page.keyboard.press("Escape")
    assert await dialog.is_visible() and await dialog.get_by_role("button", name="Close").count() == 0
    await dialog.get_by_role("button", name="Copy the key").click()
    await dialog.get_by_text("Copied").wait_for()
    assert await page.evaluate("navigator.clipboard.readText()") == secret
    await dialog.get_by_role("link", name="I have stored it").click()

    await page.get_by_role("rowheader", name="Entra").wait_for()
    assert secret not in await page.content() and await page.get_by_role("dialog").count() == 0


async def test_stored_key_is_in_no_later_response_and_not_in_the_browser(admin: Visitor) -> None:
    page = admin.page
    await admin.go(KEYS)
    await page.get_by_label("Name").fill("Okta")
    await page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog", name="New API key")
    secret = await dialog.get_by_label("API key", exact=True).inner_text()
    later: list[Response] = []
    page.on("response", lambda one: later.append(one))
    await dialog.get_by_role("link", name="I have stored it").click()
    await page.get_by_role("rowheader", name="Okta").wait_for()

    bodies: dict[str, str] = {}
    for path in (KEYS, *await every_page(admin, of=DOCUMO_PAGES)):
        await admin.go(path)
        bodies |= {one.url: await _text_of(one) for one in later}
        later.clear()
    cookies = [one.get("value", "") for one in await page.context.cookies()]
    kept = await page.evaluate(KEPT_BY_THE_BROWSER)

    assert len(bodies) > 20 and any("Okta" in body for body in bodies.values()), "the pages were read"
    assert [url for url, body in bodies.items() if secret in body + url] == []
    assert secret not in json.dumps([kept, cookies])


async def _text_of(response: Response) -> str:
    """The headers and the body of *response*. A redirect, a stream and a request that was cut off have no body."""
    headers = json.dumps(response.headers)
    if "event-stream" in headers or response.status in range(300, 400):
        return headers
    try:
        async with asyncio.timeout(5):
            return headers + (await response.body()).decode(errors="replace")
    except (PlaywrightError, TimeoutError):
        return headers


async def test_reloading_the_page_of_a_new_key_makes_no_second_key(admin: Visitor) -> None:
    page = admin.page
    await admin.go(KEYS)
    await page.get_by_label("Name").fill("Entra")
    await page.get_by_role("button", name="Create key").click()
    await page.get_by_role("dialog", name="New API key").wait_for()

    await page.reload()

    await page.get_by_role("rowheader", name="Entra").wait_for()
    assert await page.get_by_role("rowheader", name="Entra").count() == 1
    assert "dk_live_" not in re.sub(r"dk_live_[0-9a-f]{1,8}…", "", await page.content())


async def test_document_is_uploaded_in_a_dialog_that_says_why_a_file_was_refused(admin: Visitor) -> None:
    page = admin.page
    await admin.go("/")
    await page.get_by_role("link", name="Upload").click()
    dialog = page.get_by_role("dialog", name="Upload a document")
    await dialog.get_by_label("File").set_input_files({"name": "empty.txt", "mimeType": "", "buffer": b""})
    await dialog.get_by_role("button", name="Upload").click()
    await dialog.get_by_role("alert").wait_for()
    assert await admin.axe() == []

    await dialog.get_by_label("File").set_input_files({"name": "plan.txt", "mimeType": "", "buffer": b"plan"})
    await dialog.get_by_role("button", name="Upload").click()

    await page.get_by_role("link", name="plan.txt", exact=True).wait_for()
    assert await page.get_by_role("dialog").count() == 0


async def test_filters_of_a_log_are_in_one_row_on_a_laptop(admin: Visitor) -> None:
    for path in ("/settings/scim/logs?method=GET", "/settings/audit?kind=User"):
        await admin.look(width=1280)
        await admin.go(path)
        tops = "(all) => new Set(all.map((one) => Math.round(one.getBoundingClientRect().bottom))).size"

        assert await admin.page.locator(".toolbar :is(.input, .select, .button)").evaluate_all(tops) == 1, path
