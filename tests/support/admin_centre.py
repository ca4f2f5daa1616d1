"""The admin centre over real HTTP on a hub's database, and browsers without script that are signed in with a role.

page = await (await centre.signed_in(Role.AUDITOR)).get("/apps")
assert "Enterprise applications" in page.text
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import aiohttp

from lockstep.actions.context import Actor, Context
from lockstep.actions.live import LiveHub, live_hub
from lockstep.actions.permissions import Role
from lockstep.actions.sign_in import IDLE, LONGEST
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.portal.app import portal_routes
from lockstep.serving.limits import ServingLimits
from lockstep.serving.server import listen, serving_http
from lockstep.storage import administrator_sessions, administrators
from lockstep.storage.administrators import RoleGrant
from lockstep.targets.opener import ScimTargets
from lockstep.web.app import admin_app, built_assets
from lockstep.web.callers import SESSION_COOKIE
from lockstep.web.rendering import Site
from tests.support.hub import Hub

__all__ = ["IDLE", "Browser", "Centre", "Page", "serving_centre"]
_TOKEN = re.compile(r'name="csrf" (?:value|content)="([^"]*)"')


class _Text(HTMLParser):
    """The text of a page, without its head and templates, and the links in it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.links: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in ("head", "template")
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in ("head", "template")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)


@dataclass(frozen=True)
class Page:
    """A response. *text* is the visible text with runs of white space reduced to one blank; *links* are the addresses of its links."""

    status: int
    html: str
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._read.parts).split())

    @property
    def links(self) -> list[str]:
        return self._read.links

    @property
    def title(self) -> str:
        found = re.search(r"<title>(.*?)</title>", self.html, re.S)
        return found[1] if found else ""

    @property
    def token(self) -> str:
        found = _TOKEN.search(self.html)
        return found[1] if found else ""

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def _read(self) -> _Text:
        read = _Text()
        read.feed(self.html)
        return read


@dataclass
class Browser:
    """A browser without script. It does not follow redirects. *http* may be used for requests that a browser would not send."""

    origin: str
    http: aiohttp.ClientSession
    last_token: str = ""

    async def get(self, path: str, **headers: str) -> Page:
        return await self._send("GET", path, headers=headers)

    async def post(self, path: str, data: Mapping[str, Any] | None = None, **headers: str) -> Page:
        """Send a form as a page of the centre would: with the token of the last page that was read, and its origin. A tuple is sent as
        several fields with the same name.
        """
        if not self.last_token:
            await self.get("/")
        given = {"csrf": self.last_token, **(data or {})}
        form = [
            (name, one) for name, value in given.items() for one in (value if isinstance(value, tuple) else (value,))
        ]
        return await self._send("POST", path, headers={"Origin": self.origin, **headers}, data=form)

    async def settled(self, path: str) -> Page:
        """Request *path* until no part of the page is still being computed. Each request waits a moment for the result."""
        page = await self.get(path)
        while 'aria-busy="true"' in page.html:
            page = await self.get(path)
        return page

    async def htmx(self, path: str) -> Page:
        """Request *path* as htmx does when it replaces a part of a page."""
        return await self.get(path, **{"HX-Request": "true", "HX-Request-Type": "partial"})

    async def _send(self, method: str, path: str, **options: Any) -> Page:
        async with self.http.request(method, self.origin + path, allow_redirects=False, **options) as answer:
            page = Page(answer.status, await answer.text(), answer.headers)
        self.last_token = page.token or self.last_token
        return page


@dataclass
class Centre:
    """A running admin centre."""

    hub: Hub
    origin: str
    live: LiveHub
    context: Context  # of the command line
    _open: list[aiohttp.ClientSession] = field(default_factory=list)

    def browser(self, session_secret: str = "") -> Browser:
        """A browser, with a session if its secret is given."""
        http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        if session_secret:
            http.cookie_jar.update_cookies({SESSION_COOKIE: session_secret})
        self._open.append(http)
        return Browser(self.origin, http)

    async def signed_in(
        self, role: Role = Role.GLOBAL_ADMINISTRATOR, *, email: str = "", app: str | None = None
    ) -> Browser:
        """Return a browser that is signed in as a new administrator with *role*. For the role of an application owner, *app* is the id of
        the application.
        """
        return self.browser(await self.new_session(role, email=email, app=app))

    async def new_session(
        self, role: Role = Role.GLOBAL_ADMINISTRATOR, *, email: str = "", app: str | None = None
    ) -> str:
        """Begin a session of a new administrator, as if the password had just been entered, and return its secret."""
        secret, now = new_secret(), datetime.now(UTC)
        async with self.hub.pool.connection() as connection:
            who = await administrators.insert_administrator(
                connection, email or f"{role.value}@contoso.test".lower(), display_name=role.value, actor="test"
            )
            await administrators.replace_grants(connection, who, [RoleGrant(role.value, app)], actor="test")
            await administrator_sessions.insert_session(
                connection, who, hash_of(secret), device="test", now=now, expires_at=now + LONGEST
            )
        return secret

    async def close(self) -> None:
        for http in self._open:
            await http.close()


@asynccontextmanager
async def serving_centre(
    hub: Hub,
    *,
    site: Site | None = None,
    allow: Sequence[str] = ("http://127.0.0.1",),
    trusted_proxies: tuple[str, ...] = (),
    reaches_itself: bool = False,
) -> AsyncIterator[Centre]:
    """Serve the admin centre on *hub* for the duration of the block. *allow* are the private origins where applications may be. If
    *reaches_itself* is true, the centre's own origin is added to them.
    """
    listener = listen("127.0.0.1", 0, next_step="")
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    targets = ScimTargets((*allow, *([origin] if reaches_itself else ())))

    def contexts(actor: Actor) -> Context:
        return replace(hub.context, actor=actor, opener=targets, http=lambda: targets.client)

    async with live_hub(hub.pool) as live:
        assets = built_assets()
        app = admin_app(contexts, site=site, hub=live, others=portal_routes(contexts, assets), assets=assets)
        limits = ServingLimits(stop_seconds=1.0, trusted_proxies=trusted_proxies)
        async with serving_http(app, listener, limits=limits):
            centre = Centre(hub, origin, live, contexts(hub.context.actor))
            try:
                yield centre
            finally:
                await centre.close()
                live.end()
                await targets.close()
