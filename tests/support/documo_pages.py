"""Browsers without script for Documo's pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from documo import members
from documo.access import password_links
from documo.web.sessions import COOKIE
from tests.support.documo_client import Client

PASSWORD = "a sentence of five words"


@dataclass
class Visitor:
    """A browser that shows Documo's pages."""

    http: aiohttp.ClientSession
    origin: str

    async def get(self, path: str) -> tuple[int, str]:
        async with self.http.get(self.origin + path) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, /, *, on: str = "/", **fields: str) -> tuple[int, str]:
        """Send a form of the page *on*."""
        data: dict[str, Any] = {"csrf": await self.token(on), **fields}
        async with self.http.post(self.origin + path, data=data, headers={"Origin": self.origin}) as answer:
            return answer.status, await answer.text()

    async def upload(self, path: str, field: str, content: bytes, *, name: str, **fields: str) -> tuple[int, str]:
        """Send a form with a file."""
        data = aiohttp.FormData({"csrf": await self.token("/"), **fields}, quote_fields=False)  # as browsers do
        data.add_field(field, content, filename=name, content_type="application/octet-stream")
        async with self.http.post(self.origin + path, data=data, headers={"Origin": self.origin}) as answer:
            return answer.status, await answer.text()

    async def token(self, page: str) -> str:
        """The token of the session, from a page."""
        found = re.search(r'name="csrf" (?:value|content)="([^"]*)"', (await self.get(page))[1])
        return found[1] if found else ""


@asynccontextmanager
async def visiting(api: Client) -> AsyncIterator[Visitor]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Visitor(http, api.url.removesuffix("/scim/v2"))


@asynccontextmanager
async def signed_in(api: Client, role: str = "Admin", email: str = "ada@x.org") -> AsyncIterator[Visitor]:
    member = await members.add_member(api.store, api.account.id, email, role=role)
    link = await password_links.password_link(api.store, api.account, member, created_by="test")
    session = await password_links.accept_link(api.store, link.secret, PASSWORD)
    async with visiting(api) as visitor:
        visitor.http.cookie_jar.update_cookies({COOKIE: session.secret})
        yield visitor
