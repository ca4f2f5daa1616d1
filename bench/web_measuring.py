"""How long pages take beside a baseline, how many statements they send, and what open pages cost."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from lockstep.actions.live import LiveHub
from lockstep.web.app import BUILT
from lockstep.web.callers import SESSION_COOKIE
from lockstep.wiring import House

# Playwright's own wait_for_function evaluates a string as script, which the security policy of the pages refuses.
FIRST_PAINT = """() => new Promise(done => new PerformanceObserver(list => {
    const found = list.getEntriesByName('first-contentful-paint');
    if (found.length) done(found[0].startTime);
}).observe({type: 'paint', buffered: true}))"""
CHROMIUM = Path("/usr/bin/chromium")
LONGEST = 20.0  # seconds for the requests of one page; a slow page gets fewer requests
FEWEST = 3  # requests


@dataclass(slots=True)
class Counted:
    """*statements* sent by this process since the start."""

    statements: int = 0

    def begin(self) -> None:
        execute: Any = psycopg.AsyncCursor.execute

        async def counting(cursor: Any, *given: Any, **named: Any) -> Any:
            self.statements += 1
            return await execute(cursor, *given, **named)

        psycopg.AsyncCursor.execute = counting  # type: ignore[assignment, method-assign]


@dataclass(frozen=True, slots=True)
class Served:
    origin: str
    hub: LiveHub


async def measure_pages(
    served: Served, http: aiohttp.ClientSession, counted: Counted, paths: Mapping[str, str], *, rounds: int
) -> list[dict[str, Any]]:
    measured = []
    for route, path in paths.items():
        status, size, _ = await ask(http, served.origin + path)
        raw = f"{served.origin}/bench/baseline?bytes={size}"
        await ask(http, served.origin + path)
        times: list[float] = []
        base: list[float] = []
        statements, cpu = 0, 0.0
        ends = time.monotonic() + LONGEST
        for number in range(rounds if status == 200 else 1):
            if number >= FEWEST and time.monotonic() > ends:
                break
            base.append((await ask(http, raw))[2])
            before, began = counted.statements, cpu_seconds()
            times.append((await ask(http, served.origin + path))[2])
            statements += counted.statements - before
            cpu += cpu_seconds() - began
        known = await seconds_until_known(http, served.origin, path)
        measured.append(
            {
                "page": route,
                "status": status,
                "requests": len(times),
                "bytes": size,
                "fastest_ms": round(min(times) * 1000, 1),
                "p50_ms": round(statistics.median(times) * 1000, 1),
                "p95_ms": round(highest(times) * 1000, 1),
                "baseline_p50_ms": round(statistics.median(base) * 1000, 1),
                "baseline_p95_ms": round(highest(base) * 1000, 1),
                "ratio": round(statistics.median(times) / statistics.median(base), 1),
                "statements": round(statements / len(times), 1),
                "cpu_ms": round(cpu / len(times) * 1000, 1),
                **({"known_after_seconds": round(known, 1)} if known else {}),
            }
        )
        print(f"{measured[-1]['p95_ms']:8} ms  {status}  {route}", file=sys.stderr)
    return measured


async def seconds_until_known(http: aiohttp.ClientSession, origin: str, path: str) -> float:
    """Ask for a part that is computed in the background until it is there, so that it does not slow down the next page. 0 if the page has
    no such part.
    """
    began = time.monotonic()
    asked = 0
    while True:
        async with http.get(origin + path) as answer:
            body = await answer.text()
        busy = re.search(r'aria-busy="true" hx-get="([^"]+)"', body)
        if not busy:
            return time.monotonic() - began if asked else 0.0
        asked, path = asked + 1, busy[1]


async def ask(http: aiohttp.ClientSession, url: str) -> tuple[int, int, float]:
    """The status, the size of the body without compression, and the seconds until all of it was there."""
    began = time.perf_counter()
    async with http.get(url, allow_redirects=False) as answer:
        body = await answer.read()
        return answer.status, len(body), time.perf_counter() - began


def highest(times: Sequence[float]) -> float:
    """The time within which 95 % were answered."""
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.95))]


def cpu_seconds() -> float:
    """CPU time of this process, which is the server and the client that asks it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def compressed_sizes() -> dict[str, int]:
    """Scripts and styles as built, compressed one by one as they are sent."""
    return {
        kind: sum(len(gzip.compress(file.read_bytes(), 5)) for file in BUILT.rglob(f"*.{kind}"))
        for kind in ("js", "css")
    }


async def measure_listeners(house: House, served: Served, secret: str, count: int) -> dict[str, Any]:
    """Open *count* streams, pass one event to all, and count the connections that listen."""
    before = resident_bytes()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, connector=connector) as http:
        streams = [await http.get(f"{served.origin}/events") for _ in range(count)]
        await until(lambda: len(served.hub) == count)
        grown = resident_bytes() - before
        async with house.pool.connection() as connection:
            row = await (
                await connection.execute(
                    "select count(*) from pg_stat_activity where query ilike 'listen%' and application_name = 'lockstep-live'"
                )
            ).fetchone()
        began = time.perf_counter()
        served.hub.publish("status")
        await asyncio.gather(*(heard(stream) for stream in streams))
        seconds = time.perf_counter() - began
        for stream in streams:
            stream.close()
    await until(lambda: len(served.hub) == 0)
    assert row is not None
    return {
        "listeners": count,
        "listen_connections": row[0],
        "memory_mb": round(grown / 1e6, 1),  # of the server and of the client that holds the streams
        "one_event_to_all_ms": round(seconds * 1000, 1),
    }


async def heard(stream: aiohttp.ClientResponse) -> None:
    while b"event: status" not in await stream.content.readline():
        pass


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def first_paint(served: Served, secret: str) -> dict[str, Any] | None:
    """Of Home in Chromium, the first visit of a new browser and a second one; None without Chromium."""
    if not CHROMIUM.exists():
        return None
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context()
        await context.add_cookies([{"name": SESSION_COOKIE, "value": secret, "url": served.origin}])
        page = await context.new_page()
        found = {}
        for visit in ("first_visit_ms", "second_visit_ms"):
            await page.goto(served.origin + "/")
            found[visit] = round(await page.evaluate(FIRST_PAINT))
        await browser.close()
    return found
