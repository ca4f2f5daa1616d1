"""Measure what live updates cost the process that works on a cycle and serves the pages, as `lockstep up` does. Prints JSON.

    .venv/bin/python bench/live.py --listeners 200

A cycle sends one notice with each batch of outcomes that it records. Two parts are measured as CPU time of this process: sending a notice,
and passing the notices of a busy cycle on to pages that listen. The pages are streams of another process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop

from lockstep.cli.events import log_to_stderr
from lockstep.postgres import embedded
from lockstep.settings import load_settings
from lockstep.storage.notices import Topic, notify
from lockstep.storage.pipelines import pipelined
from lockstep.web.callers import SESSION_COOKIE
from lockstep.wiring import House, open_house
from web import serving
from web_data import new_session
from web_measuring import Served, cpu_seconds, until

JOB = "documo.tenant.application"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--per-second", type=int, default=25, help="Notices of a busy cycle.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--listen", nargs=2, metavar=("URL", "SECRET"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.listen:
        uvloop.run(listen(*chosen.listen, chosen.listeners))
        return
    log_to_stderr(level="warning", form="auto")
    folder = Path(tempfile.mkdtemp(prefix="lockstep-bench-"))
    folder.chmod(0o711)
    try:
        print(orjson.dumps(uvloop.run(measure(folder, chosen)), option=orjson.OPT_INDENT_2).decode())
    finally:
        embedded.remove(folder)


async def measure(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    async with open_house(load_settings({}, {"data": folder}), main=True) as house:
        secret = await new_session(house)
        async with serving(house) as served:
            alone = [await busy_cycle(house, chosen) for _ in range(chosen.rounds)]
            async with heard_by(served, secret, chosen.listeners):
                heard = [await busy_cycle(house, chosen) for _ in range(chosen.rounds)]
        plain = [await transactions(house, with_notice=False) for _ in range(chosen.rounds)]
        noticed = [await transactions(house, with_notice=True) for _ in range(chosen.rounds)]
    return {
        "load_average": round(os.getloadavg()[0], 1),
        "listeners": chosen.listeners,
        "notices_per_second": chosen.per_second,
        "cpu_us_per_notice": round((statistics.median(noticed) - statistics.median(plain)) * 1e6, 1),
        "cpu_ms_per_second_of_listeners": round((statistics.median(heard) - statistics.median(alone)) * 1e3, 2),
    }


async def transactions(house: House, *, with_notice: bool, count: int = 1_000) -> float:
    """CPU seconds of this process for one transaction like that of a batch of outcomes, which has eight statements."""
    before = cpu_seconds()
    for _ in range(count):
        async with pipelined(house.pool) as connection:
            for _ in range(8):
                await connection.execute("select 1")
            if with_notice:
                await notify(connection, Topic.PROGRESS, job=JOB)
    return (cpu_seconds() - before) / count


async def busy_cycle(house: House, chosen: argparse.Namespace) -> float:
    """CPU seconds of this process for each second in which a cycle sends its notices."""
    before = cpu_seconds()
    for _ in range(int(chosen.seconds * chosen.per_second)):
        async with pipelined(house.pool) as connection:
            await notify(connection, Topic.PROGRESS, job=JOB)
        await asyncio.sleep(1 / chosen.per_second)
    return (cpu_seconds() - before) / chosen.seconds


@asynccontextmanager
async def heard_by(served: Served, secret: str, count: int) -> AsyncIterator[None]:
    process = subprocess.Popen([sys.executable, __file__, "--listeners", str(count), "--listen", served.origin, secret])
    try:
        await until(lambda: len(served.hub) == count)
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def listen(origin: str, secret: str, count: int) -> None:
    """Hold *count* streams until the process is ended."""
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, connector=connector, timeout=timeout) as http:

        async def one() -> None:
            async with http.get(f"{origin}/events") as stream:
                async for _ in stream.content:
                    pass

        await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)


if __name__ == "__main__":
    main()
