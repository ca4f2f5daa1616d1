"""Rules for every page of Documo, in both themes: those that links lead to, and those that forms lead to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser

from tests.support.browser import (
    DOCUMO_EMAIL,
    DOCUMO_PAGES,
    Visitor,
    confirm_in_documo,
    every_page,
    on_each,
    routes_missed,
    visiting,
)
from tests.support.documo_browser import documo_states
from tests.support.up_process import Up

pytestmark = pytest.mark.full
BEFORE_SIGNING_IN = {
    "/login": "/login?next=/users",
    "/sso": "/sso",
    "/sso/failed": "/sso/failed",
    "/links/{secret}": "/links/{secret}",
}
NOT_PAGES = {
    "/branding/logo", "/documents/{id}", "/saml/logout", "/saml/metadata", "/settings/audit/download/{file}",
    "/settings/security/certificates/{thumbprint}/download",
}  # fmt: skip


@pytest.fixture
async def documo_visitor(chrome: Browser, up: Up, documo_session: Any) -> AsyncIterator[Visitor]:
    """A page of the account's Admin. The test fails if the browser's console said anything, or a request left the origin."""
    async with visiting(chrome, up.documo_origin, documo_session) as one:
        yield one
        assert one.said == []


async def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(documo_visitor: Visitor) -> None:
    found: list[str] = []
    async for name in documo_states(documo_visitor):
        found += await documo_visitor.faults(name)
    await confirm_in_documo(documo_visitor)
    pages = [*await every_page(documo_visitor, of=DOCUMO_PAGES), "/confirm?next=/settings/api-keys"]
    found += await on_each(documo_visitor, pages, Visitor.faults)

    assert not found, "\n".join(found)
    assert routes_missed(pages, of=DOCUMO_PAGES) - NOT_PAGES == BEFORE_SIGNING_IN.keys() | {"/sso/finish/{ticket}"}


@pytest.mark.parametrize("path", BEFORE_SIGNING_IN.values())
async def test_axe_finds_nothing_serious_on_the_pages_before_signing_in(chrome: Browser, up: Up, path: str) -> None:
    async with visiting(chrome, up.documo_origin) as visitor:
        secret = urlsplit(up.documo_link(DOCUMO_EMAIL)).path.rpartition("/")[2] if "{secret}" in path else ""
        await visitor.go(path.format(secret=secret))

        assert await visitor.faults(path) == []
        assert [line for line in visitor.said if "the server responded with a status of 4" not in line] == []


async def test_every_page_has_one_heading_a_title_and_its_landmarks(documo_visitor: Visitor) -> None:
    page = documo_visitor.page
    for path in await every_page(documo_visitor, of=DOCUMO_PAGES):
        await documo_visitor.go(path)

        assert await page.get_by_role("heading", level=1).count() == 1, path
        assert (await page.title()).endswith(" - Documo"), path
        assert await page.get_by_role("main").count() == 1, path
        assert await page.get_by_role("navigation", name="Main").count() == 1, path
        text = await page.inner_text("body")
        assert [word for word in ("undefined", "[object Object]", "NaN", "None None") if word in text] == [], path
