"""Rules for every page of the admin centre, in both themes: those that links lead to, and those that forms and keys lead to."""

from __future__ import annotations

import subprocess

import pytest
from playwright.async_api import Browser

from lockstep.actions.permissions import Permission
from tests.support.browser import EMAIL, LOCKSTEP_PAGES, Visitor, every_page, on_each, routes_missed, visiting
from tests.support.lockstep_browser import lockstep_states
from tests.support.up_process import BIN, Up

pytestmark = pytest.mark.full


BEFORE_SIGNING_IN = {
    "/sign-in": "/sign-in?next=/apps",
    "/signed-out": "/signed-out",
    "/invitations/{secret}": "/invitations/used",
}
NOT_PAGES = {
    "/apps/{app}/provisioning/configuration.yaml",
    "/apps/{app}/provisioning/mappings/{object}/scope/count",  # a part of the page of the mapping
    "/apps/{app}/provisioning/preview/{preview}/download/{file}",
    "/apps/{app}/provisioning/schema/download",
    "/apps/{app}/sso/download/{what}",
    "/groups/{group}/timeline/{file}",
    "/logs/audit/download/{file}",
    "/logs/provisioning/download/{file}",
    "/logs/sign-ins/download/{file}",
    "/users/{person}/timeline/{file}",
    "/settings/configuration.yaml",
    "/sign-in/sso",  # this and the two below lead to an identity provider, and back
    "/sign-in/sso/callback",
    "/step-up/sso",
}


@pytest.mark.timeout(900)  # 80 pages, each with six runs of axe, on a machine that does other things, too
async def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(visitor: Visitor) -> None:
    found = await on_each(visitor, await every_page(visitor), Visitor.faults)

    assert not found, "\n".join(found)


@pytest.mark.timeout(900)
async def test_axe_also_sees_every_page_that_no_link_leads_to(visitor: Visitor, up: Up) -> None:
    found: list[str] = []
    seen = await every_page(visitor)
    async for path in lockstep_states(visitor, up):
        seen.append(path)
        found += await visitor.faults(path)

    assert not found, "\n".join(found)
    assert routes_missed(seen, of=LOCKSTEP_PAGES) - NOT_PAGES == BEFORE_SIGNING_IN.keys()


@pytest.mark.parametrize("path", [*BEFORE_SIGNING_IN.values(), "/myapps/sign-in", "/myapps/signed-out"])
async def test_axe_finds_nothing_serious_on_the_pages_before_signing_in(chrome: Browser, up: Up, path: str) -> None:
    async with visiting(chrome, up.origin) as visitor:
        await visitor.go(path)

        assert await visitor.faults(path) == []
        assert [line for line in visitor.said if "the server responded with a status of 4" not in line] == []


async def test_every_page_has_one_heading_a_title_and_its_landmarks(visitor: Visitor) -> None:
    for path in await every_page(visitor):
        await visitor.go(path)
        page = visitor.page

        assert await page.get_by_role("heading", level=1).count() == 1, path
        assert (await page.title()).endswith(" - Lockstep"), path
        assert await page.get_by_role("main").count() == 1, path
        assert await page.get_by_role("navigation", name="Main").count() == 1, path
        text = await page.inner_text("body")
        assert [word for word in ("undefined", "[object Object]", "NaN", "None None") if word in text] == [], path


async def test_long_values_of_an_audit_entry_wrap_on_a_phone(visitor: Visitor, up: Up) -> None:
    scopes = [word for one in Permission if one.value.endswith(".read") for word in ("--scope", one.value)]
    command = [str(BIN / "lockstep"), "--data", str(up.data), "token", "create", "all", "--owner", EMAIL, *scopes]
    subprocess.run(command, capture_output=True, check=True)

    await visitor.look(width=320)
    await visitor.go("/logs/audit")
    await visitor.page.get_by_role("link", name="Create token").first.click()

    await visitor.page.get_by_role("heading", level=1, name="Create token: all").wait_for()
    assert await visitor.overflow() == 0
