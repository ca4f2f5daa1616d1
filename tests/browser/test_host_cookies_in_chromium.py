"""Behind a proxy that speaks https, Chromium accepts the cookies that only their own host can set, and a member signs in with them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from documo import members
from documo.access import password_links
from documo.store.database import open_store
from documo.web.sessions import COOKIE
from lockstep.postgres.database import Database
from lockstep.serving.limits import ServingLimits
from tests.support.browser import PASSWORD
from tests.support.documo_client import documo_on
from tests.support.target_servers import Authority

pytestmark = pytest.mark.full
MEMBER = "anna@contoso.test"


@asynccontextmanager
async def https(tls: ssl.SSLContext, port: int) -> AsyncIterator[str]:
    """Terminate TLS in front of the server at *port*. Yields the origin."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, ahead), copy(behind, writer))

    server = await asyncio.start_server(join, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_browser_keeps_a_session_that_only_its_own_host_can_set(
    chrome: Browser, documo_database: Database, tmp_path: Path
) -> None:
    behind_a_proxy = ServingLimits(trusted_proxies=("127.0.0.1",))
    async with open_store(documo_database) as store, documo_on(store, limits=behind_a_proxy) as documo:
        api = await documo.client()
        await members.add_member(store, api.account.id, MEMBER, role="Editor")
        await password_links.set_password(store, api.account, MEMBER, PASSWORD)
        port = int(api.url.split(":")[2].partition("/")[0])
        async with https(Authority(tmp_path).serving(), port) as origin:
            context = await chrome.new_context(
                ignore_https_errors=True, extra_http_headers={"X-Forwarded-Proto": "https"}
            )
            page = await context.new_page()
            await page.goto(f"{origin}/login")
            await page.get_by_label("Email", exact=True).fill(MEMBER)
            await page.get_by_label("Password", exact=True).fill(PASSWORD)
            await page.get_by_role("button", name="Sign in", exact=True).click()
            await expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
            kept = {one.get("name"): one.get("value", "") for one in await context.cookies()}
            await context.clear_cookies()
            await context.add_cookies([{"name": COOKIE, "value": kept[f"__Host-{COOKIE}"], "url": origin}])
            await page.goto(f"{origin}/own-account")

            await expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
            assert COOKIE not in kept
            await context.close()
