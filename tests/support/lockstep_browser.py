"""The admin centre in Chromium: a centre that this process serves, and pages that no link leads to, because they follow a form or a key."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from playwright.async_api import Browser

from lockstep.web.callers import SESSION_COOKIE
from tests.support.admin_centre import serving_centre
from tests.support.browser import Visitor, visiting
from tests.support.hub import Hub
from tests.support.up_process import BIN, Up

SAML = ("", "/basic", "/certificates", "/claims", "/claims/edit", "/method", "/test")
OPENID = ("", "/authentication", "/secrets", "/claims", "/test")
VISITORS = b"id,userPrincipalName,displayName\n1,zoe@visitors.test,Zoe Visitor\n"


@asynccontextmanager
async def visiting_centre(chrome: Browser, hub: Hub) -> AsyncIterator[Visitor]:
    """Serve the admin centre on *hub* and visit it as a Global administrator. The test fails if the browser's console said anything."""
    async with serving_centre(hub) as centre:
        secret = await centre.new_session()
        async with visiting(chrome, centre.origin) as visitor:
            await visitor.page.context.add_cookies([{"name": SESSION_COOKIE, "value": secret, "url": centre.origin}])
            yield visitor
            assert visitor.said == []


async def lockstep_states(visitor: Visitor, up: Up) -> AsyncIterator[str]:
    """Go through the forms of a signed-in Global administrator; yields the address of each page while it is shown."""
    page = visitor.page
    for path in ("/search", "/search?q=berg", "/search?q=nothing+is+called+so", "/step-up?next=/apps",
                 "/apps/documo/provisioning/order/pause"):  # fmt: skip
        await visitor.go(path)
        yield path

    await visitor.go("/")
    await page.keyboard.press("ControlOrMeta+k")
    await page.keyboard.type("berg")
    await page.locator("#palette-results").get_by_role("link").first.wait_for()
    yield "/search/palette?q=berg"

    await visitor.go("/apps/documo/provisioning/preview")
    await page.get_by_role("button", name=re.compile("Make a preview|Preview again")).click()
    await page.get_by_role("button", name="Discard").wait_for()
    yield (preview := urlsplit(page.url).path)
    await visitor.go(f"{preview}/left")
    yield f"{preview}/left"
    _run(up, "pause documo")
    await visitor.go("/apps/documo/provisioning/switch-on")
    yield "/apps/documo/provisioning/switch-on"
    _run(up, "start documo")

    await _fail_to_sign_in(visitor)
    await visitor.go("/logs/sign-ins")
    await page.get_by_role("main").get_by_role("rowheader").get_by_role("link").first.click()
    await page.wait_for_url("**/logs/sign-ins/*")
    yield urlsplit(page.url).path

    await visitor.go("/groups/new?membership=rule")
    await page.get_by_label("Name", exact=True).fill("Everybody in Sales")
    await page.get_by_label("Attribute").fill("department")
    await page.get_by_label("Value").fill("Sales")
    await page.get_by_role("button", name="Create", exact=True).click()
    await page.get_by_role("link", name="Edit rule").click()
    await page.get_by_role("button", name="Review and save").wait_for()
    yield urlsplit(page.url).path

    async for path in _of_one_person(visitor, up):
        yield path
    async for path in _of_single_sign_on(visitor, up):
        yield path


async def _of_one_person(visitor: Visitor, up: Up) -> AsyncIterator[str]:
    """Yield the pages of an upload with one person, and the form that edits this person. The person can be edited because they were
    restored after their source was removed, and now belong to Lockstep.
    """
    page = visitor.page
    await visitor.go("/import")
    await page.get_by_label("Source").fill("visitors")
    await page.get_by_label("CSV file").set_input_files(
        {"name": "visitors.csv", "mimeType": "text/csv", "buffer": VISITORS}
    )
    await page.get_by_role("button", name="Upload").click()
    await page.get_by_role("heading", name="Dry run").wait_for()
    yield urlsplit(page.url).path

    await page.get_by_role("button", name="Import", exact=True).click()
    await page.wait_for_url("**/sources/visitors")
    await page.get_by_role("link", name="Remove the source").click()
    await page.get_by_label("Type 1 to confirm").fill("1")
    yield urlsplit(page.url).path
    await page.get_by_role("button", name="Remove the source").click()
    await page.wait_for_url("**/sources")
    _run(up, "people restore zoe@visitors.test")
    await visitor.go("/users?search=zoe")
    await page.get_by_role("link", name="Zoe Visitor").click()
    await page.get_by_role("link", name="Edit", exact=True).click()
    await page.get_by_role("button", name="Review and save").wait_for()
    yield urlsplit(page.url).path


async def _of_single_sign_on(visitor: Visitor, up: Up) -> AsyncIterator[str]:
    """An application with SAML and one with OpenID Connect, which are removed again."""
    _run(up, "apps add custom-scim --name paper")
    _run(up, "apps add custom-scim --name wiki")
    _run(up, "sso set paper --mode saml --identifier urn:paper --reply-url https://paper.contoso.test/acs")
    _run(up, "sso oidc wiki --redirect-uri https://wiki.contoso.test/callback")
    for path in [*(f"/apps/paper/sso{end}" for end in SAML), *(f"/apps/wiki/sso{end}" for end in OPENID)]:
        await visitor.go(path)
        yield path
    _run(up, "apps delete paper --yes")
    _run(up, "apps delete wiki --yes")


def _run(up: Up, words: str) -> None:
    command = [str(BIN / "lockstep"), "--data", str(up.data), *words.split()]
    subprocess.run(command, capture_output=True, check=True)


async def _fail_to_sign_in(visitor: Visitor) -> None:
    browser = visitor.page.context.browser
    assert browser is not None
    async with visiting(browser, visitor.origin) as stranger:
        await stranger.go("/myapps/sign-in")
        await stranger.page.get_by_label("User name").fill("kim.berg@contoso.test")
        await stranger.page.get_by_label("Password").fill("not the password")
        await stranger.page.get_by_role("button", name="Sign in").click()
        await stranger.page.get_by_role("alert").wait_for()
