"""Measure what live updates cost the process that works on a cycle and serves the pages, as `lockstep up` does. Prints JSON.

    .venv/bin/python bench/live.py --listeners 200

First, whole cycles are measured, alternately without and with open pages. Each page does what the script of a page does: it listens, waits
as long as an event says, and reads the page again. The pages run in another process on the same machine. `ratio` is the time of the cycles
with open pages, divided by the time without them; `cpu_ratio` compares the CPU time of this process in the same way.

Then two parts are measured separately, as CPU time of this process: sending a notice, of which a cycle sends one for each batch of outcomes
that it records, and passing the notices of a busy cycle on to pages that listen. The pages are streams of another process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop

from cycle import initial_cycle
from lockstep.actions import applications, status
from lockstep.actions.context import Actor, Context
from lockstep.actions.settings import set_mapping
from lockstep.cli.events import log_to_stderr
from lockstep.cli.up import stage
from lockstep.cli.up.running import running
from lockstep.postgres import embedded
from lockstep.settings import load_settings
from lockstep.storage.notices import Topic, notify
from lockstep.storage.pipelines import pipelined
from lockstep.web.callers import SESSION_COOKIE
from lockstep.wiring import House, open_house
from web import serving
from web_data import new_session
from web_measuring import cpu_seconds

PAGE = "/apps/documo/provisioning"
JOB = "documo.tenant.application"
SESSION = "BENCH_SESSION"  # the variable that passes the secret of the session to the process of the pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--per-second", type=int, default=25, help="Notices of a busy cycle.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--people", type=int, default=2_000, help="Written by each cycle.")
    parser.add_argument("--reads", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--listen", metavar="URL", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.listen:
        uvloop.run(listen(chosen.listen, os.environ[SESSION], chosen.listeners, reads=chosen.reads))
        return
    log_to_stderr(level="warning", form="auto")
    folder = Path(tempfile.mkdtemp(prefix="lockstep-bench-"))
    folder.chmod(0o711)
    try:
        cycles = uvloop.run(measure_cycles(folder / "cycles", chosen))
        found = {"cycles": cycles} | uvloop.run(measure(folder / "parts", chosen))
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    finally:
        for one in ("cycles", "parts"):
            embedded.remove(folder / one)


async def measure_cycles(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """The seconds, and the CPU seconds of this process, of cycles that write everybody, alternately without and with pages that read again.
    On a machine that others use, only the CPU seconds can be compared.
    """
    async with running(replace(load_settings({}, {"data": folder}), port=0), documo_port=0, say=lambda _: None) as both:
        context = both.house.context(Actor("bench", is_operator=True))
        await stage.import_contoso(context, folder / "contoso", people=chosen.people, seed=1)
        await applications.add_application(context, "documo")
        stage.require_passed((await stage.connect(context, both.documo)).probes)
        await initial_cycle(context, is_single=False)
        secret = await new_session(both.house)
        alone, heard = [], []
        for place in range(chosen.rounds):
            alone.append(await writing_cycle(context, 2 * place))
            async with heard_by(both.address, secret, chosen.listeners, reads=True):
                heard.append(await writing_cycle(context, 2 * place + 1))
        return {
            "people": chosen.people,
            "seconds_alone": [round(wall, 2) for wall, _ in alone],
            "seconds_with_pages": [round(wall, 2) for wall, _ in heard],
            "ratio": round(
                statistics.median(wall for wall, _ in heard) / statistics.median(wall for wall, _ in alone), 3
            ),
            "cpu_seconds_alone": [round(cpu, 2) for _, cpu in alone],
            "cpu_seconds_with_pages": [round(cpu, 2) for _, cpu in heard],
            "cpu_ratio": round(
                statistics.median(cpu for _, cpu in heard) / statistics.median(cpu for _, cpu in alone), 3
            ),
        }


async def writing_cycle(context: Context, place: int) -> tuple[float, float]:
    """Change the mapping of the family name, so that everybody is written."""
    last = (await status.list_cycles(context, stage.APP, limit=1))[0]
    began, used = time.monotonic(), cpu_seconds()
    await set_mapping(context, stage.APP, "name.familyName", {"expression": f'Join(" ", [surname], "{place}")'})
    while (cycle := (await status.list_cycles(context, stage.APP, limit=1))[0]).id == last.id:
        await asyncio.sleep(0.005)
    await stage.follow(context, cycle, on_progress=lambda _: None)
    return time.monotonic() - began, cpu_seconds() - used


async def measure(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    async with open_house(load_settings({}, {"data": folder}), main=True) as house:
        secret = await new_session(house)
        async with serving(house) as served:
            alone = [await busy_cycle(house, chosen) for _ in range(chosen.rounds)]
            async with heard_by(served.origin, secret, chosen.listeners):
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
    """CPU seconds of this process for one transaction like the one that records a batch of outcomes, with eight statements."""
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
    return (cpu_seconds() - before) / float(chosen.seconds)


@asynccontextmanager
async def heard_by(origin: str, secret: str, count: int, *, reads: bool = False) -> AsyncIterator[None]:
    """*count* pages of another process listen during the block; with *reads* they read again what an event concerns."""
    words = [
        sys.executable,
        __file__,
        "--listeners",
        str(count),
        "--listen",
        origin,
        *(["--reads"] if reads else []),
    ]
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, env=os.environ | {SESSION: secret})
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.terminate()
        await process.wait()


async def listen(origin: str, secret: str, count: int, *, reads: bool) -> None:
    """Do what the script of *count* open pages does, until the process is ended."""
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, connector=connector, timeout=timeout) as http:
        connected = 0

        async def one() -> None:
            nonlocal connected
            async with http.get(f"{origin}/events") as stream, asyncio.TaskGroup() as reading:
                connected += 1
                if connected == count:
                    print("ready", flush=True)
                due = asyncio.Event()
                pause = 1.0
                if reads:
                    reading.create_task(read_again(http, origin, due, lambda: pause))
                async for line in stream.content:
                    if line.startswith(b"data: ") and line.strip() != b"data:":
                        pause = max(1.0, int(line.split()[1]) / 1000)
                        due.set()

        await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)


async def read_again(http: aiohttp.ClientSession, origin: str, due: asyncio.Event, pause: Callable[[], float]) -> None:
    """Do what live.js does: after an event, wait and read the page, then check whether another event has arrived in the meantime."""
    while True:
        await due.wait()
        await asyncio.sleep(pause() * (random.uniform(0.5, 1.5) if pause() > 1 else 1.0))
        due.clear()
        async with http.get(f"{origin}{PAGE}", headers={"X-Live": "yes"}) as answer:
            await answer.read()


if __name__ == "__main__":
    main()
