"""Chromium on the admin centre: signed in, watched for console messages and foreign requests, with axe-core, in both themes and widths."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urljoin, urlsplit

from playwright.async_api import APIResponse, Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

from lockstep.kit.pages import pages_in
from tests.support.page_video import filming
from tests.support.up_process import Up

CHROMIUM = "/usr/bin/chromium"
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
WIDTHS = (1440, 1280, 390)
REFLOWS = (1920, 1280, 768, 320)
AXE_WIDTHS = (1280, 320)
RULES_OF_SIZE = ("target-size", "scrollable-region-focusable")
RULES_OF_COLOUR = ("color-contrast", "link-in-text-block")
TRACES = os.environ.get(
    "LOCKSTEP_TEST_TRACES", ""
)  # the folder to keep a trace and a video of each visit in; "" keeps none
AT_ONCE = 2  # pages, because one of them often waits for the server
HEIGHT = 900
EMAIL, NAME, PASSWORD = "ada@contoso.test", "Ada Byron", "a sentence of five words"
DOCUMO_EMAIL = "admin@documo.test"
LOCKSTEP_PAGES, DOCUMO_PAGES = "lockstep.web.pages", "documo.web.pages"
CONFIRMING = ("/step-up", "/confirm")  # the pages that ask for the password again, of Lockstep and of Documo
_ONE_CONFIRMS = asyncio.Lock()  # a confirmation gives the session another secret
_LINK = re.compile(r'<a [^>]*?href="([^"]+)"')


@dataclass
class Visitor:
    """A signed-in page. *said* collects console messages and requests that a page must not cause."""

    page: Page
    origin: str
    said: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", self._asked)

    async def go(self, path: str) -> None:
        """Open the page. If it requires a recently confirmed session, enter the password."""
        await self._goto(path)
        if not self._is_asked(path):
            return
        async with _ONE_CONFIRMS:
            await self._goto(path)
            if self._is_asked(path):
                await self.page.get_by_label("Password").fill(PASSWORD)
                await self.page.get_by_role("button", name="Continue").click()
                await self.page.wait_for_url(lambda url: urlsplit(url).path not in CONFIRMING)

    async def _goto(self, path: str) -> None:
        answer = await self.page.goto(self.origin + path)
        assert answer is None or answer.status < 500, f"{path} was answered with {answer.status}"

    def _is_asked(self, path: str) -> bool:
        return urlsplit(self.page.url).path in CONFIRMING and urlsplit(path).path not in CONFIRMING

    async def look(self, *, theme: Theme = "light", width: int = 1280) -> None:
        """Show the page in a window of this width, with *theme* as the preference of the operating system."""
        await self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        await self.page.set_viewport_size({"width": width, "height": HEIGHT})

    async def axe(self, *, only: Sequence[str] = ()) -> list[str]:
        """The serious and critical findings of axe-core on the page as it is, one line for each element. *only* names the rules
        to check.
        """
        if not await self.page.evaluate("() => typeof axe === 'object'"):
            # By evaluation: the security policy of the pages allows no further script element.
            await self.page.evaluate(AXE.read_text() + "; undefined")
        options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
        options |= {"runOnly": list(only)} if only else {"rules": {"target-size": {"enabled": True}}}
        found = await self.page.evaluate("(options) => axe.run(document, options)", options)
        return [
            f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    async def faults(self, name: str) -> list[str]:
        """The findings of axe on the page in its present state, in both themes, and by how much the page is wider than each window of
        `REFLOWS`.

        Every rule is checked at 1280 and 320 px. The other widths change only positions and sizes, and the dark theme only colours, so only
        the rules about these are checked there.
        """
        found: list[str] = []
        for width in REFLOWS:
            await self.look(width=width)
            rules = () if width in AXE_WIDTHS else RULES_OF_SIZE
            found += [f"{name} at {width} px {line}" for line in await self.axe(only=rules)]
            if (by := await self.overflow()) > 0:
                found.append(f"{name} is {by} px too wide at {width} px")
        for width in AXE_WIDTHS:
            await self.look(theme="dark", width=width)
            found += [f"{name} in dark at {width} px {line}" for line in await self.axe(only=RULES_OF_COLOUR)]
        return found

    async def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(await self.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(f"{message.type}: {message.text} at {self.page.url}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.said.append(f"foreign request: {request.url}")


async def on_each(
    visitor: Visitor, paths: Sequence[str], inspect: Callable[[Visitor, str], Awaitable[list[str]]]
) -> list[str]:
    """Open each of *paths* and return what *inspect* finds there. Uses several pages of the visitor's browser at the same time."""
    waiting = list(reversed(paths))
    found: list[str] = []

    async def work(one: Visitor) -> None:
        while waiting:
            path = waiting.pop()
            await one.go(path)
            found.extend(await inspect(one, path))

    others = [Visitor(await visitor.page.context.new_page(), visitor.origin, visitor.said) for _ in range(AT_ONCE - 1)]
    for other in others:
        other.watch()
    async with asyncio.TaskGroup() as group:
        for one in (visitor, *others):
            group.create_task(work(one))
    for other in others:
        await other.page.close()
    return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


async def first_sign_in(browser: Browser, up: Up) -> Any:
    """Accept the one-time link as the first administrator. Returns the state of the browser, for `visiting`."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(up.link)
    await page.get_by_label("Email").fill(EMAIL)
    await page.get_by_label("Name").fill(NAME)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Set password and sign in").click()
    await page.get_by_role("heading", level=1).wait_for()
    assert urlsplit(page.url).path == "/", page.url
    state = await context.storage_state()
    await context.close()
    return state


async def sign_in_again(browser: Browser, up: Up) -> Any:
    """Sign in with the password that `first_sign_in` set, and leave the other sessions alone."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{up.origin}/sign-in")
    await page.get_by_label("Email").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_role("navigation", name="Main").wait_for()
    state = await context.storage_state()
    await context.close()
    return state


@asynccontextmanager
async def visiting(
    browser: Browser, origin: str, state: Any = None, *, has_script: bool = True
) -> AsyncIterator[Visitor]:
    """Open a page in a separate browser context. It is signed in if *state* is given."""
    context: BrowserContext = await browser.new_context(storage_state=state, java_script_enabled=has_script)
    visitor = Visitor(await context.new_page(), origin)
    visitor.watch()
    try:
        async with _kept(visitor.page):
            yield visitor
    finally:
        await context.close()


@asynccontextmanager
async def _kept(page: Page) -> AsyncIterator[None]:
    """Keep a trace and a video of the block in the folder `TRACES`, if there is one."""
    if not TRACES:
        yield
        return
    trace = _trace_file(Path(TRACES))
    trace.touch()
    await page.context.tracing.start(screenshots=True, snapshots=True)
    try:
        async with filming(page, trace.with_suffix(".webp")):
            yield
    finally:
        await page.context.tracing.stop(path=trace)


def _trace_file(folder: Path) -> Path:
    """The file for the trace of the present test. A test may visit several times."""
    test = re.sub(r"[^\w.-]+", "-", os.environ.get("PYTEST_CURRENT_TEST", "visit").partition(" ")[0].rpartition("/")[2])
    return next(file for number in count(1) if not (file := folder / f"{test}-{number}.zip").exists())


async def documo_sign_in(browser: Browser, up: Up) -> Any:
    """Sign in to Documo as the account's admin. Returns the state of the browser, for `visiting`."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(up.documo_link(DOCUMO_EMAIL))
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Set password and sign in").click()
    await page.get_by_role("heading", name="Documents", level=1).wait_for()
    state = await context.storage_state()
    await context.close()
    return state


async def documo_sign_in_again(browser: Browser, up: Up) -> Any:
    """Sign in with the password that `documo_sign_in` set, and leave the other sessions alone."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{up.documo_origin}/login")
    await page.get_by_label("Email", exact=True).fill(DOCUMO_EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_role("heading", name="Documents", level=1).wait_for()
    state = await context.storage_state()
    await context.close()
    return state


async def confirm_in_documo(visitor: Visitor) -> None:
    """Enter the password again, so that sensitive pages open for the next ten minutes. The session gets another secret."""
    await visitor.go("/confirm?next=/own-account")
    await visitor.page.get_by_label("Password").fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Continue").click()
    await visitor.page.get_by_role("heading", name="Own account", level=1).wait_for()


async def every_page(visitor: Visitor, *, of: str = LOCKSTEP_PAGES) -> list[str]:
    """Return the addresses of all pages that can be reached from Home through links: one for each route of the package *of* and each set of
    query parameters.
    """
    patterns = _patterns(of)
    found: list[str] = []
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = ["/"]
    while waiting:
        address = waiting.pop(0)
        parts = urlsplit(address)
        kind = (_route_of(parts.path, patterns), tuple(sorted(parse_qs(parts.query))))
        if kind in seen or not kind[0]:
            continue
        seen.add(kind)
        answer = await _answer(visitor, address)
        if answer.status != 200 or not answer.headers["content-type"].startswith("text/html"):
            continue
        found.append(address)
        links = _LINK.findall((await answer.text()).replace("&amp;", "&"))
        waiting += [link for link in (_path(urljoin(address, href)) for href in links) if link]
    return found


async def _answer(visitor: Visitor, address: str) -> APIResponse:
    answer = await visitor.page.request.get(visitor.origin + address, max_redirects=0)
    if urlsplit(answer.headers.get("location", "")).path in CONFIRMING:
        await visitor.go(address)
        answer = await visitor.page.request.get(visitor.origin + address, max_redirects=0)
    assert answer.status < 500, f"{address} was answered with {answer.status}"
    return answer


def routes_missed(paths: Sequence[str], *, of: str) -> set[str]:
    """The GET routes of the package *of* to which none of *paths* leads."""
    patterns = _patterns(of)
    return {route for _, route in patterns} - {_route_of(urlsplit(path).path, patterns) for path in paths}


def route_of(path: str, *, of: str) -> str:
    """The route of the package *of* that serves *path*, or "" if there is none."""
    return _route_of(urlsplit(path).path, _patterns(of))


def _path(address: str) -> str:
    parts = urlsplit(address)
    return "" if parts.scheme or parts.netloc else parts.path + (f"?{parts.query}" if parts.query else "")


def _patterns(package: str) -> Sequence[tuple[re.Pattern[str], str]]:
    return [
        (re.compile(re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(page.path)) + "$"), page.path)
        for page in pages_in(package)
        if page.method == "GET"
    ]


def _route_of(path: str, patterns: Sequence[tuple[re.Pattern[str], str]]) -> str:
    return next((route for pattern, route in patterns if pattern.match(path)), "")
