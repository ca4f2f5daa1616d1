"""Compare the initial cycle with a bare loop; measure unchanged objects, a changed mapping and the latency. Prints JSON.

    make bench            or: .venv/bin/python bench/cycle.py --people 10000

Everything is real: both products, PostgreSQL, HTTP on this machine. The bare loop sends the same creates to the same Documo with
the same concurrency, into a separate account, and does nothing else: no directory, no matching, no journal, no links, no log. It sends
single requests, while the cycle uses bulk requests, unless --single is given.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bare_loop import send_creates
from lockstep.actions import applications, people, status
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Actor, Context
from lockstep.actions.jobs import read_job
from lockstep.cli.events import log_to_stderr
from lockstep.cli.up import stage
from lockstep.cli.up.documo_process import ask_documo
from lockstep.cli.up.expectations import rows
from lockstep.cli.up.running import RunningProducts, running
from lockstep.cli.up.verification import ScimAccountReader
from lockstep.postgres import embedded
from lockstep.postgres.pool import transaction
from lockstep.scim.patch_build import to_resource
from lockstep.scim.registry import default_registry
from lockstep.settings import load_settings
from lockstep.storage.cycles import Cycle
from lockstep.sync.cycle import frame as cycle_frame
from processes import cpu_seconds, for_each

CONCURRENCY = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument(
        "--single", action="store_true", help="create each account with its own request in the cycle too"
    )
    chosen = parser.parse_args()
    log_to_stderr(level="warning", form="auto")
    folder = Path(tempfile.mkdtemp(prefix="lockstep-bench-"))
    folder.chmod(0o711)
    try:
        print(
            orjson.dumps(
                uvloop.run(measure(folder, chosen.people, chosen.changes, is_single=chosen.single)),
                option=orjson.OPT_INDENT_2,
            ).decode()
        )
    finally:
        embedded.remove(folder)


async def measure(folder: Path, count: int, changes: int, *, is_single: bool) -> dict[str, Any]:
    settings = replace(load_settings({}, {"data": folder}), port=0)
    async with running(settings, documo_port=0, say=lambda _: None) as both:
        context = both.house.context(Actor("bench", is_operator=True))
        began = time.monotonic()
        imported = await stage.import_contoso(context, folder / "contoso", people=count, seed=1)
        import_seconds = time.monotonic() - began
        assert imported.files is not None
        await applications.add_application(context, "documo")
        stage.require_passed((await stage.connect(context, both.documo)).probes)
        before = cpu_now(both)
        initial, cycle_seconds = await initial_cycle(context, is_single=is_single)
        cycle_cpu = for_each(before, cpu_now(both), initial.counts["created"])
        created = initial.counts["created"]
        bodies = [create_body(row) for row in rows(imported.files.people) if row["accountEnabled"] == "True"]
        assert created == len(bodies), (created, len(bodies), dict(initial.counts))
        bare_seconds, bare_cpu = await bare_loop(both, bodies)
        return {
            "people": count,
            "import": {"seconds": round(import_seconds, 2), "rows_per_s": round(count / import_seconds)},
            "initial_cycle": {
                "created": created,
                "requests": initial.requests,
                "requests_per_create": round(initial.requests / created, 4),
                "seconds": round(cycle_seconds, 2),
                "per_s": round(created / cycle_seconds),
                # The figures to compare on a machine that is used by others too.
                "cpu_us_per_create": cycle_cpu,
            },
            "bare_loop": {
                "creates": created,
                "seconds": round(bare_seconds, 2),
                "per_s": round(created / bare_seconds),
                "cpu_us_per_create": bare_cpu,
            },
            "ratio_to_bare_loop": round(bare_seconds / cycle_seconds, 3),
            "cpu_ratio_to_bare_loop": round(bare_cpu["all"] / cycle_cpu["all"], 3),
            "unchanged_cycle": await unchanged_cycle(context),
            "change_to_application": await latency(
                both,
                context,
                [row["userPrincipalName"] for row in rows(imported.files.people) if row["accountEnabled"] == "True"][
                    :changes
                ],
            ),
            # Last, because it leaves some people with names that differ from the directory.
            "mapping_change": await mapping_change(
                context, [row for row in rows(imported.files.people) if row["accountEnabled"] == "True"]
            ),
        }


def cpu_since(before: resource.struct_rusage) -> float:
    """Seconds of CPU that this process has used since *before*."""
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_now(both: RunningProducts) -> Mapping[str, float]:
    """Seconds of CPU that each process of both products has used."""
    embedded_server = both.house.server.embedded
    assert embedded_server is not None
    return cpu_seconds(embedded_server.postmaster.pid, both.documo.process.pid)


async def initial_cycle(context: Context, *, is_single: bool) -> tuple[Cycle, float]:
    began = time.monotonic()
    await settings_actions.change_settings(
        context,
        stage.APP,
        mode="automatic",
        scope="all",
        status="on",
        creates_per_request=1 if is_single else None,
    )
    cycle = (await status.list_cycles(context, stage.APP, limit=1))[0]
    cycle = await stage.follow(context, cycle, on_progress=lambda _: None)
    return cycle, time.monotonic() - began


async def bare_loop(both: RunningProducts, bodies: list[Mapping[str, Any]]) -> tuple[float, Mapping[str, float]]:
    """Return the seconds that it took, and the CPU for each create."""
    data = str(both.documo.data)
    await ask_documo("accounts", "create", "Bare", "--admin", "bare@documo.test", "--data", data, "-o", "json")
    key = await ask_documo("keys", "create", "--account", "Bare", "--name", "bare", "--data", data, "-o", "json")
    before = cpu_now(both)
    seconds = await send_creates(both.documo.base_url, key["key"], bodies, concurrency=CONCURRENCY)
    return seconds, for_each(before, cpu_now(both), len(bodies))


def create_body(row: Mapping[str, str]) -> Mapping[str, Any]:
    """The create that Lockstep sends for this person."""
    values = {
        "userName": row["userPrincipalName"],
        "active": True,
        "name.givenName": row["givenName"],
        "name.familyName": row["surname"],
    }
    return to_resource(values, default_registry().resource("User"))


async def unchanged_cycle(context: Context) -> dict[str, Any]:
    """Evaluate everybody again, as after a change of the mappings that has no effect."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    async with transaction(context.pool) as connection:
        job = await read_job(context, connection, stage.APP)
        cycle = await cycle_frame.open_incremental(connection, job)
        marked = await cycle_frame.mark_everybody(connection, job, cycle=cycle.id, reason="configuration")
    await context.after_commit(frozenset({job.id}))
    ended = await stage.follow(context, cycle, on_progress=lambda _: None)
    cpu = cpu_since(before)
    return {
        "objects": marked,
        "requests": ended.requests,
        "seconds": round(time.monotonic() - began, 2),
        "cpu_us_per_object": round(cpu / marked * 1e6, 1),
    }


async def mapping_change(context: Context, people: list[Mapping[str, str]]) -> dict[str, Any]:
    """Change a mapping so that about one person in ten gets another value: everybody is evaluated, only those are written."""
    by_department = Counter(row["department"] for row in people)
    department, _ = min(by_department.items(), key=lambda entry: abs(entry[1] - len(people) / 10))
    # Names in scripts without capital letters do not change.
    affected = sum(row["department"] == department and row["surname"] != row["surname"].upper() for row in people)
    expression = f'IIF([department]="{department}", ToUpper([surname], ), [surname])'
    last = (await status.list_cycles(context, stage.APP, limit=1))[0]
    await stage.follow(context, last, on_progress=lambda _: None)  # the change would join a cycle that is not finished
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    await settings_actions.set_mapping(context, stage.APP, "name.familyName", {"expression": expression})
    while (cycle := (await status.list_cycles(context, stage.APP, limit=1))[0]).id == last.id:
        await asyncio.sleep(0.005)
    ended = await stage.follow(context, cycle, on_progress=lambda _: None)
    seconds = time.monotonic() - began
    cpu = cpu_since(before)
    return {
        "objects": ended.total,
        "with_another_value": affected,
        "written": ended.counts.get("updated", 0),
        "requests": ended.requests,
        "reads": ended.requests - ended.counts.get("updated", 0),
        "seconds": round(seconds, 2),
        "cpu_us_per_object": round(cpu / max(1, ended.total or 0) * 1e6, 1),
    }


async def latency(both: RunningProducts, context: Context, names: list[str]) -> dict[str, Any]:
    """One change at a time on the idle system: from the commit until Documo shows it."""
    reader = ScimAccountReader(both.documo.base_url, (await stage.make_key(both.documo.data, "Bench")).reveal())
    taken = []
    try:
        for number, name in enumerate(names):
            surname = f"Changed {number}"
            await people.set_person(context, name, {"surname": surname})
            began = time.monotonic()
            while True:
                account = await reader.one(name)
                if account and account["name"].get("familyName") == surname:
                    break
                await asyncio.sleep(0.005)
            taken.append(time.monotonic() - began)
    finally:
        await reader.close()
    taken.sort()
    return {
        "changes": len(taken),
        "p50_s": round(statistics.median(taken), 3),
        "p95_s": round(taken[int(len(taken) * 0.95)], 3),
        "max_s": round(taken[-1], 3),
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
