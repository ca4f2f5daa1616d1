"""Measure every page of the admin centre over HTTP, beside a raw baseline on the same server. Prints JSON.

    .venv/bin/python bench/web.py --people 20000 --log-rows 100000 --applications 20

The baseline is a Starlette route that runs `select 1` and returns as many bytes as the page has. Requests for it and for the page
alternate, so that a busy machine slows down both. Statements are counted in the server. The CPU time is that of the server's process,
without PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from lockstep.actions.live import live_hub
from lockstep.cli.admin_centre import LIMITS
from lockstep.cli.events import log_to_stderr
from lockstep.postgres import embedded
from lockstep.serving.server import listen, serving_http
from lockstep.settings import load_settings
from lockstep.web.app import admin_app
from lockstep.web.callers import SESSION_COOKIE
from lockstep.wiring import House, open_house
from web_data import Sizes, addresses, fill, new_session
from web_measuring import Counted, Served, compressed_sizes, first_paint, measure_listeners, measure_pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--log-rows", type=int, default=100_000)
    parser.add_argument("--applications", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=40, help="Requests for each page.")
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--markdown", type=Path, help="Write the table of pages to this file as well.")
    chosen = parser.parse_args()
    log_to_stderr(level="warning", form="auto")
    sizes = Sizes(chosen.people, chosen.log_rows, chosen.applications, chosen.rounds, chosen.listeners)
    folder = Path(tempfile.mkdtemp(prefix="lockstep-bench-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user
    try:
        found = uvloop.run(measure(folder, sizes))
    finally:
        embedded.remove(folder)
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    if chosen.markdown:
        chosen.markdown.write_text(markdown(found["pages"]), encoding="utf-8")


async def measure(folder: Path, sizes: Sizes) -> dict[str, Any]:
    counted = Counted()
    async with open_house(load_settings({}, {"data": folder}), main=True) as house:
        began = time.monotonic()
        await fill(house, sizes)
        filled = time.monotonic() - began
        secret = await new_session(house)
        counted.begin()
        async with serving(house) as served, aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}) as http:
            pages = await measure_pages(served, http, counted, await addresses(house), rounds=sizes.rounds)
            return {
                "people": sizes.people,
                "log_rows": sizes.rows,
                "applications": sizes.applications,
                "seconds_to_fill": round(filled, 1),
                "cores": os.cpu_count(),
                "load_average": round(os.getloadavg()[0], 1),
                "pages": pages,
                "compressed_bytes": compressed_sizes(),
                "live": await measure_listeners(house, served, secret, sizes.listeners),
                "first_paint": await first_paint(served, secret),
            }


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[Served]:
    """The admin centre with the baseline, as `serve` would serve it."""

    async def baseline(request: Request) -> HTMLResponse:
        async with house.pool.connection() as connection:
            await connection.execute("select 1")
        return HTMLResponse("x" * int(request.query_params["bytes"]))

    listener = listen("127.0.0.1", 0, next_step="")
    async with live_hub(house.pool) as hub:
        app = admin_app(house.context, hub=hub, others=[Route("/bench/baseline", baseline)])
        async with serving_http(app, listener, limits=replace(LIMITS, stop_seconds=1.0)):
            try:
                yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", hub)
            finally:
                hub.end()


def markdown(pages: Sequence[Mapping[str, Any]]) -> str:
    head = "| page | size | fastest | median | 95 % within | baseline | ratio | statements | CPU |\n|---|---|---|---|---|---|---|---|---|\n"
    return head + "".join(
        f"| `GET {one['page']}` | {one['bytes'] / 1000:.0f} kB | {one['fastest_ms']} ms | {one['p50_ms']} ms | {one['p95_ms']} ms "
        f"| {one['baseline_p50_ms']} ms | {one['ratio']} | {one['statements']:.0f} | {one['cpu_ms']} ms |\n"
        for one in pages
        if one["status"] == 200
    )


if __name__ == "__main__":
    main()
