"""`lockstep run`, `start`, `pause`, `restart` and `retry`: control an application's provisioning.

`run --wait` needs no server: if no worker is running, the command does the work itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import click

from lockstep.actions import following, logs, provisioning
from lockstep.actions.context import Context
from lockstep.actions.logs import LogFilter, LogRow
from lockstep.actions.provisioning import USUAL_RESTART, Cycle, JobRow, ResetScope
from lockstep.actions.rows.provisioning import cycle_json
from lockstep.actions.status import show_status
from lockstep.cli.application_argument import app_argument
from lockstep.cli.output import Output, confirm, hint, output_option, safe
from lockstep.cli.page_address import PERSON
from lockstep.cli.preview import preview_first
from lockstep.cli.progress import ProgressLine
from lockstep.cli.session import globals_of
from lockstep.cli.session import run as with_context
from lockstep.cli.times import LENGTH, length_text
from lockstep.engine.decisions.headline import Headline, Standing
from lockstep.errors import EXIT_CODES, Kind
from lockstep.wording import counted

TIMED_OUT = 8
_NEEDS_A_DECISION = frozenset({Standing.HELD, Standing.STOPPED, Standing.SLOWED})
_ORDER = ("created", "linked", "updated", "enabled", "disabled", "deleted", "unchanged", "skipped", "held", "failed")
_RESETS = {
    "full": ResetScope.FULL,
    "watermark": ResetScope.WATERMARK,
    "escrows": ResetScope.ESCROWS,
    "quarantine": ResetScope.QUARANTINE_STATE,
    "links": ResetScope.CONNECTOR_DATA_STORE,
}


@click.command("run")
@app_argument
@click.option("--full", is_flag=True, help="Full cycle: re-evaluate everyone and read all accounts of the application.")
@click.option("--wait", is_flag=True, help="Wait until it finishes. Also works without a running server.")
@click.option(
    "--timeout", type=LENGTH, metavar="LENGTH", help="Maximum time to wait (30s, 10m); exits with 8 after that."
)
@output_option
def run(app: str, full: bool, wait: bool, timeout: timedelta | None, output: Output) -> int:
    """Run a provisioning cycle now.

    \b
    lockstep run documo --wait
    lockstep run documo --full --wait --timeout 10m
    """
    follows = wait or timeout is not None
    shows_progress = globals_of().shows_progress
    began = time.monotonic()

    async def work(context: Context) -> tuple[Cycle, list[LogRow], bool, Headline]:
        cycle = await provisioning.run(context, app, full=full)
        is_late = False
        if follows:
            with ProgressLine(app, is_on=shows_progress) as line:
                try:
                    async with asyncio.timeout(timeout.total_seconds() if timeout else None):
                        async for state in following.follow_cycle(context, app, cycle.id):
                            cycle = state
                            _show(line, app, cycle, time.monotonic() - began, knows_total=full)
                except TimeoutError:
                    is_late = True
        failures: list[LogRow] = []
        if cycle.ended_at is not None and cycle.counts.get("failed"):
            wanted = LogFilter(cycle=cycle.id, status="failure")
            failures = await logs.list_log(context, wanted, app=app, limit=1000)
        return cycle, failures, is_late, (await show_status(context, app)).headline

    cycle, failures, is_late, stands = with_context(work)
    output.one(cycle_json(cycle) | {"failures": _grouped(failures)}, text=_run_lines(app, cycle, failures, began))
    if is_late and timeout is not None:
        hint(f"Not finished after {length_text(timeout)}; the work continues. Watch it: lockstep status {app} --watch")
        return TIMED_OUT
    if cycle.ended_at is None:
        return 0
    if stands.standing in _NEEDS_A_DECISION:
        hint(f"{stands.sentence} {stands.next_step}")
        return EXIT_CODES[Kind.HELD]
    is_partial = cycle.counts.get("failed") or stands.standing is Standing.MAYBE_CREATED
    return EXIT_CODES[Kind.PARTIAL] if is_partial else 0


@click.command("start")
@app_argument
@click.option(
    "--as-of-backup",
    is_flag=True,
    help="After a restore: accept the people in the backup as current, for all applications.",
)
@click.option("--preview", "previews", is_flag=True, help="First show what would be done to everyone, then ask.")
@click.option("--yes", is_flag=True, help="With --preview: do not ask for confirmation.")
@output_option
def start(app: str, as_of_backup: bool, previews: bool, yes: bool, output: Output) -> None:
    """Switch provisioning on. The first start begins an initial cycle. Also retries an application in quarantine.

    \b
    lockstep start documo
    lockstep start documo --preview
    """
    if previews:
        preview_first(app, output)
        confirm(f"Switch on provisioning of {app}?", yes=yes)
    row = with_context(lambda context: provisioning.start(context, app, as_of_backup=as_of_backup))
    first = "" if row.started else " The initial cycle begins."
    _told(output, row, "on", f"Provisioning of {row.app_display_name} is on.{first}")


@click.command("pause")
@app_argument
@output_option
def pause(app: str, output: Output) -> None:
    """Switch provisioning off. Links, pending retries and progress are kept.

    \b
    lockstep pause documo
    lockstep start documo
    """
    row = with_context(lambda context: provisioning.pause(context, app))
    _told(output, row, "off", f"Provisioning of {row.app_display_name} is off. Resume: lockstep start {row.app_name}")


@click.command("restart")
@app_argument
@click.option("--reset", metavar="WHAT,...", help="What to reset: full, watermark, escrows, quarantine, links.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation before links are removed.")
@output_option
def restart(app: str, reset: str | None, yes: bool, output: Output) -> None:
    """Restart provisioning, by default with an initial cycle. Without --reset, clears quarantine, watermark and escrows; links stay.

    \b
    lockstep restart documo
    lockstep restart documo --reset full --yes
    """
    scopes = _scopes(reset) if reset else USUAL_RESTART
    if scopes & {ResetScope.FULL, ResetScope.CONNECTOR_DATA_STORE}:
        confirm(f"Remove all links to accounts of {app}? Everyone will be matched again.", yes=yes)
    row = with_context(lambda context: provisioning.restart(context, app, scopes))
    _told(output, row, "on", f"Provisioning of {row.app_display_name} was restarted.")


@click.command("retry")
@app_argument
@click.option("--user", "users", type=PERSON, multiple=True, metavar="UPN", help="Only this person. Repeatable.")
@click.option("--code", default="", help="Only failures with this error code, as shown in the log.")
@output_option
def retry(app: str, users: tuple[str, ...], code: str, output: Output) -> None:
    """Retry failed objects now instead of at their scheduled time.

    \b
    lockstep retry documo
    lockstep retry documo --user kim.berg@contoso.test
    """
    count = with_context(lambda context: provisioning.retry(context, app, users=users, code=code))
    text = (
        f"{counted(count, 'failed object')} {'is' if count == 1 else 'are'} being retried now."
        if count
        else "No failed objects are waiting for a retry."
    )
    output.one({"application": app, "count": count}, text=text)


def counts_text(cycle: Cycle) -> str:
    """Return the counts of a cycle as text."""
    return ", ".join(f"{number:,} {word}" for word, number in _in_order(cycle)) or "nothing to do"


def _in_order(cycle: Cycle) -> list[tuple[str, int]]:
    """Return the counts that are not zero: writes first, then skipped objects, then failures."""
    counts = [(word, number) for word, number in cycle.counts.items() if number]
    return sorted(counts, key=lambda one: (_ORDER.index(one[0]) if one[0] in _ORDER else len(_ORDER), one[0]))


def _run_lines(app: str, cycle: Cycle, failures: Sequence[LogRow], began: float) -> list[str]:
    if cycle.ended_at is None:
        return [f"{cycle.kind.capitalize()} cycle {cycle.id} of {app} has begun."]
    lines = [f"Done in {time.monotonic() - began:.1f} s: {counts_text(cycle)}."]
    for group in _grouped(failures):
        lines.append(
            f"  {group['count']} x {safe(group['reason'])}   lockstep logs --app {app} --status failure --since 10m"
        )
    return lines


def _grouped(failures: Sequence[LogRow]) -> list[dict[str, Any]]:
    """Group failures by their kind: a count and the reason of one failure as an example. The most frequent kind comes first."""
    groups: dict[str, dict[str, Any]] = {}
    for row in failures:
        group = groups.setdefault(
            row.error_code or row.reason, {"code": row.error_code, "reason": row.reason, "count": 0}
        )
        group["count"] += 1
    return sorted(groups.values(), key=lambda group: -int(group["count"]))


def _show(line: ProgressLine, app: str, cycle: Cycle, seconds: float, *, knows_total: bool) -> None:
    done, total = min(cycle.done, cycle.total), cycle.total if knows_total or cycle.has_fixed_total else 0
    rate = done / max(seconds, 0.001)
    left = (total - done) / rate if rate else 0.0
    eta = f"  eta {int(left) // 60}:{int(left) % 60:02}" if done and done < total else ""
    counts = "  ".join(f"{word} {number:,}" for word, number in _in_order(cycle))
    phase = "" if cycle.phase in ("write", "done") else f"{cycle.phase}  "
    after = f"{phase}{done:,}{f'/{total:,}' if total else ''} objects  {rate:,.0f}/s{eta}   {counts}".rstrip()
    line.tell(before=f"{app}  {cycle.kind} cycle  ", after=after, fraction=done / total if total else None)


def _scopes(reset: str) -> frozenset[ResetScope]:
    words = [word.strip().lower() for word in reset.split(",") if word.strip()]
    for word in words:
        if word not in _RESETS:
            raise click.UsageError(f'"{word}" cannot be reset; choose from: {", ".join(_RESETS)}')
    return frozenset(_RESETS[word] for word in words)


def _told(output: Output, row: JobRow, status: str, text: str) -> None:
    output.one({"application": row.app_name, "job": row.id, "status": status}, text=text)
