"""`lockstep up --check`: provision in a temporary folder, verify the result from outside, print one line of JSON, remove the folder.

The expected contents of Documo are computed from the CSV files, without the engine, and compared with Documo's SCIM API.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson
import uvloop

from lockstep.actions import provisioning, status
from lockstep.actions.context import Context
from lockstep.actions.provisioning import Cycle
from lockstep.cli.events import log_to_stderr
from lockstep.cli.output import FORMAT_VERSION, hint
from lockstep.cli.session import operator
from lockstep.cli.up import stage
from lockstep.cli.up.changes import Changes
from lockstep.cli.up.expectations import Contoso, DemoAssignment, expect_accounts
from lockstep.cli.up.running import RunningProducts, running
from lockstep.cli.up.verification import ScimAccountReader, VerificationResult, compare_everybody
from lockstep.errors import Kind, LockstepError
from lockstep.postgres import embedded
from lockstep.settings import load_settings
from lockstep.sources import demo

SOMEBODY_DIFFERS = 3


def run_check(*, people: int, seed: int | None) -> int:
    """Run the check and print its line. Returns the exit code: 0 if everything is as expected, 3 if a person differs, and 1 for any other
    failure.
    """
    log_to_stderr(level="warning", form="auto")
    folder = Path(tempfile.mkdtemp(prefix="lockstep-check-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user and must be able to traverse it
    report: dict[str, Any] = {}
    try:
        uvloop.run(_cancelled_by_signals(CheckRun(folder, people=people, seed=seed, report=report).run()))
    except LockstepError as error:
        report |= {"ok": False, "error": error.detail}
    except asyncio.CancelledError:
        report |= {"ok": False, "error": "Interrupted"}
    except Exception as error:
        report |= {"ok": False, "error": f"{type(error).__name__}: {error}"}
    finally:
        embedded.remove(folder)
    click.echo(orjson.dumps({"ok": False, "formatVersion": FORMAT_VERSION, **report}))
    if report["ok"]:
        return 0
    return SOMEBODY_DIFFERS if "error" not in report else 1


async def _cancelled_by_signals(work: Any) -> None:
    """Await *work*; SIGTERM and Ctrl-C cancel it, so that everything is stopped and removed."""
    task = asyncio.ensure_future(work)
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, task.cancel)
    await task


class CheckRun:
    """One run. *report* is filled step by step, so that a failure shows how far the run got."""

    def __init__(self, folder: Path, *, people: int, seed: int | None, report: dict[str, Any]) -> None:
        self._folder = folder
        self._people = people
        self._seed = seed
        self._report = report
        self._seconds: dict[str, float] = {}

    async def run(self) -> None:
        began = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP_")}
        environment = {name: value for name, value in environment.items() if name not in ("PORT", "DATABASE_URL")}
        settings = replace(load_settings(environment, {"data": self._folder}), port=0)
        async with running(settings, documo_port=0, say=lambda _: None) as both:
            self._seconds["start"] = _since(began)
            await self._main_job(both)
        self._seconds["total"] = _since(began)
        self._report["seconds"] = self._seconds

    async def _main_job(self, both: RunningProducts) -> None:
        context = both.house.context(operator())
        imported = await stage.import_contoso(context, self._folder / "contoso", people=self._people, seed=self._seed)
        if imported.files is None:
            raise LockstepError(Kind.INTERNAL, "The temporary folder already contains demo people")
        bad = sum(result.bad for result in imported.results)
        if bad:
            raise LockstepError(Kind.INTERNAL, f"{bad} rows of the demo organisation were refused")
        hint(f"Contoso, generated from seed {imported.files.seed}")
        await stage.add_documo(context)
        connected = await stage.connect(context, both.documo)
        stage.require_passed(connected.probes)
        await stage.assign_demo(context)
        began = time.monotonic()
        cycle = await stage.provision(context, on_progress=lambda _: None)
        self._seconds["initialCycle"] = _since(began)
        contoso = Contoso.read(imported.files.people, imported.files.members)
        reader = ScimAccountReader(both.documo.base_url, (await stage.make_key(self._folder, "Check")).reveal())
        try:
            await self._verify(context, reader, contoso, cycle, groups=imported.groups)
        finally:
            await reader.close()

    async def _verify(
        self, context: Context, reader: ScimAccountReader, contoso: Contoso, cycle: Cycle, *, groups: int
    ) -> None:
        assignments = [DemoAssignment(one.principal, one.is_group, one.role) for one in demo.demo_assignments()]
        expected = expect_accounts(contoso, assignments, stage.ROLE_ORDER)
        to_create = sum(one.active is True for one in expected.values())
        self._report |= {
            "people": len(contoso.people),
            "groups": groups,
            "assigned": len(expected),
            "created": cycle.counts.get("created", 0),
            "failed": cycle.counts.get("failed", 0),
            "requests": cycle.requests,
        }
        first = compare_everybody(expected, await reader.everybody(), unmanaged=frozenset({stage.ADMIN}))
        changes = Changes(context, reader, contoso, expected)
        self._report["changes"] = await changes.make_all()
        again = compare_everybody(expected, await reader.everybody(), unmanaged=frozenset({stage.ADMIN}))
        unchanged = await self._unchanged_cycle(context)
        self._report |= {"verified": _both(first, again), "unchangedCycle": {"requests": unchanged.requests}}
        self._report["ok"] = (
            not first.mismatches
            and not again.mismatches
            and all(row["expected"] == row["observed"] for row in self._report["changes"])
            and self._report["failed"] == 0
            and self._report["created"] == to_create
            and unchanged.requests == 0
        )

    @staticmethod
    async def _unchanged_cycle(context: Context) -> Cycle:
        """Run one more cycle, which should find nothing to change. If the cycle that the five changes started is still running, wait for
        its end first.
        """
        running = (await status.show_status(context, stage.APP)).running
        if running is not None:
            await stage.follow(context, running, on_progress=lambda _: None)
        cycle = await provisioning.run(context, stage.APP)
        return await stage.follow(context, cycle, on_progress=lambda _: None)


def _both(first: VerificationResult, again: VerificationResult) -> dict[str, Any]:
    """Combine the results of two comparisons: *first* after the initial cycle, *again* after the changes. The numbers are those of *first*;
    the differences are those of both.
    """
    return {
        "accounts": first.accounts,
        "attributes": first.attributes,
        "mismatches": [*first.mismatches, *again.mismatches],
    }


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
