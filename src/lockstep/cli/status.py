"""`lockstep status` and `lockstep cycles`: the state of an application's provisioning.

The exit code repeats the state: 0 means in step or working, anything else means that a person must act. With several applications, the
worst state decides.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from lockstep.actions import status as actions
from lockstep.actions.context import Context
from lockstep.actions.health import HealthFinding, failing_sources
from lockstep.actions.rows.provisioning import cycle_json, status_json
from lockstep.actions.single_sign_on.certificates import Expiry, expiring_certificates
from lockstep.actions.status import Cycle, JobStatus
from lockstep.cli.application_argument import app_argument
from lockstep.cli.output import Column, Output, hint, output_option, safe
from lockstep.cli.page_address import APPLICATION
from lockstep.cli.provision import counts_text
from lockstep.cli.session import run
from lockstep.cli.times import local_stamp, local_time, stamp
from lockstep.endings import ends_with_reader
from lockstep.engine.decisions.headline import worst_exit_code
from lockstep.errors import Kind, LockstepError
from lockstep.wording import counted

_WATCH_SECONDS = 0.5
_COLUMNS = [Column("application", "Application"), Column("code", "Provisioning"), Column("progress", "Cycle", is_wide=True),
            Column("linked", "Linked"), Column("waiting", "Waiting"), Column("failing", "Failing"), Column("held", "Held"),
            Column("sentence", "Summary"), Column("nextCycle", "Next cycle", is_wide=True, show=local_time),
            Column("job", "Job", is_wide=True)]  # fmt: skip
_CYCLE_COLUMNS = [Column("id", "Cycle"), Column("kind", "Kind"), Column("state", "State"), Column("started", "Started", show=local_time),
                  Column("seconds", "Seconds"), Column("objects", "Objects", is_wide=True), Column("requests", "Requests", is_wide=True),
                  Column("did", "Result")]  # fmt: skip


@click.command("status")
@click.argument("app", required=False, type=APPLICATION)
@click.option("--watch", is_flag=True, help="Refresh when something changes, until Ctrl-C.")
@output_option
def status(app: str | None, watch: bool, output: Output) -> int:
    """Show all applications, one per line, or one application in detail.

    \b
    lockstep status
    lockstep status documo --watch
    """

    async def read(context: Context) -> list[JobStatus]:
        return [await actions.show_status(context, app)] if app else await actions.list_status(context)

    if watch:
        run(lambda context: _watch(context, read, app, output))

    async def once(context: Context) -> tuple[list[JobStatus], list[HealthFinding], list[Expiry]]:
        statuses = await read(context)
        return statuses, await failing_sources(context), await _ending(context)

    found, unread, ending = run(once)
    _show(found, app, output)
    for one in unread:
        hint(f"warning: {one.name}: {one.text}. {one.remedy}")
    for expiry in ending:
        if app in (None, expiry.app_name):
            hint(f"warning: {expiry.sentence}. {expiry.next_step}")
    return worst_exit_code(one.headline for one in found)


@click.command("cycles")
@app_argument
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@output_option
def cycles(app: str, limit: int, output: Output) -> None:
    """List the latest cycles of an application, newest first.

    \b
    lockstep cycles documo
    lockstep cycles documo --limit 5 -o json
    """
    found = run(lambda context: actions.list_cycles(context, app, limit=limit))
    is_table = output.form in ("table", "wide", "csv", "markdown")
    rows = [cycle_json(cycle) | (_cycle_texts(cycle) if is_table else {}) for cycle in found]
    output.many(rows, _CYCLE_COLUMNS, name="id", empty=f"No cycle yet. Start one: lockstep start {app}")


async def _ending(context: Context) -> list[Expiry]:
    """Return the certificates that expire soon. Returns an empty list if the server has an earlier version, which does not have this
    action.
    """
    try:
        return await expiring_certificates(context)
    except LockstepError as refused:
        if refused.kind is Kind.NOT_FOUND:
            return []
        raise


async def _watch(
    context: Context, read: Callable[[Context], Awaitable[list[JobStatus]]], app: str | None, output: Output
) -> None:
    """Show the status, and show it again whenever it changes. A terminal shows only the newest status; JSON prints one line for each
    change.
    """
    streaming = Output("jsonl" if output.form == "json" else output.form, output.quiet)
    last: list[JobStatus] | None = None
    with ends_with_reader():
        while True:
            found = await read(context)
            if found != last:
                last = found
                if sys.stdout.isatty():
                    click.clear()
                _show(found, app, streaming)
                sys.stdout.flush()
            await (context.elsewhere.changed() if context.elsewhere is not None else asyncio.sleep(_WATCH_SECONDS))


def _show(found: Sequence[JobStatus], app: str | None, output: Output) -> None:
    if app:
        output.one(status_json(found[0]), text=_lines(found[0]))
        return
    is_table = output.form in ("table", "wide", "csv", "markdown")
    rows = [status_json(one) | (_texts(one) if is_table else {}) for one in found]
    output.many(rows, _COLUMNS, name="application", empty="No application yet. Add one: lockstep apps add documo")


def _texts(one: JobStatus) -> dict[str, Any]:
    done, total, phase = one.progress
    return {
        "progress": f"{phase} {done:,}/{total:,}" if one.running else "",
        "linked": sum(one.links.values()),
        "nextCycle": stamp(one.next_cycle_at),
    }


def _lines(one: JobStatus) -> list[str]:
    links = ", ".join(counted(number, kind.lower()) for kind, number in one.links.items())
    backlog = one.backlog
    pairs = [
        ("what to do", one.headline.next_step),
        ("paused", f"{stamp(one.paused_at)} by {one.paused_by}" if one.paused_at else ""),
        ("progress", _progress(one.running)),
        ("last cycle", _cycle_text(one.last) if one.last else "none finished yet"),
        ("linked", links or "nobody"),
        ("waiting", counted(one.waiting, "object")),
        ("later", f"{counted(backlog.scheduled, 'object')} until a date" if backlog.scheduled else ""),
        ("slowed", f"{counted(backlog.slowed, 'object')} until the quarantine ends" if backlog.slowed else ""),
        ("failing", _failing(one)),
        ("held", f"{counted(one.held, 'write')} for approval   lockstep deletes list {one.app}" if one.held else "none"),
        ("rejected", f"{counted(one.rejected, 'write')}   lockstep deletes list {one.app} --rejected" if one.rejected else ""),
        ("unknown", f"whether {counted(one.maybe_created, 'account')} exist" if one.maybe_created else ""),
        ("not kept", f"{', '.join(one.not_kept)}   lockstep map lint {one.app}" if one.not_kept else ""),
        ("unverified", _unverified(one)),
        ("next cycle", _next_cycle(one)),
        *_quarantine(one),
    ]  # fmt: skip
    heading = f"{one.display_name}  ({one.app})   {one.code}"
    return [safe(heading), f"  {safe(one.sentence)}"] + [f"  {label:<12} {safe(text)}" for label, text in pairs if text]


def _failing(one: JobStatus) -> str:
    if not one.escrowed:
        return "none"
    leavers = f", {one.backlog.leavers:,} of them should have lost access" if one.backlog.leavers else ""
    return f"{counted(one.escrowed, 'object')}{leavers}   lockstep logs --app {one.app} --status failure"


def _quarantine(one: JobStatus) -> list[tuple[str, str]]:
    if one.quarantine is None:
        return []
    attempt = str(one.quarantine.get("nextAttempt", ""))
    return [
        ("quarantine", str(one.quarantine.get("reason", ""))),
        ("next attempt", local_stamp(datetime.fromisoformat(attempt)) if attempt else ""),
    ]


def _progress(cycle: Cycle | None) -> str:
    if cycle is None:
        return ""
    done = min(cycle.done, cycle.total)
    share = (
        f"{done / cycle.total:.0%}  {done:,}/{cycle.total:,}" if cycle.has_fixed_total and cycle.total else f"{done:,}"
    )
    return f"{_name(cycle)}, {cycle.phase}: {share} objects; {counts_text(cycle)}"


def _cycle_text(cycle: Cycle) -> str:
    return f"{_name(cycle)}, {cycle.state}, {local_stamp(cycle.ended_at)}: {counts_text(cycle)}"


def _name(cycle: Cycle) -> str:
    applied = f" of preview {cycle.preview}" if cycle.preview is not None else ""
    return f"{cycle.kind} cycle {cycle.id}{applied}"


def _unverified(one: JobStatus) -> str:
    if not one.unverified_groups:
        return ""
    return f"members of {counted(one.unverified_groups, 'group')} that cannot be read   lockstep creds test {one.app} --deep"


def _next_cycle(one: JobStatus) -> str:
    if not one.is_on:
        return f"when switched on   lockstep start {one.app}"
    at = local_stamp(one.next_cycle_at) or "after the first cycle has finished"
    return f"{at}; changes are sent immediately" if one.headline.sends else at


def _cycle_texts(cycle: Cycle) -> dict[str, Any]:
    ended = cycle.ended_at or datetime.now(UTC)
    return {
        "started": stamp(cycle.started_at),
        "seconds": f"{(ended - cycle.started_at).total_seconds():.1f}",
        "objects": f"{min(cycle.done, cycle.total):,}/{cycle.total:,}",
        "did": counts_text(cycle),
    }
