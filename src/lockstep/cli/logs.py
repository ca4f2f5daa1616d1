"""`lockstep logs`: the provisioning log, listed, shown whole, followed.

JSON is Microsoft Graph's shape (provisioningObjectSummary), so that what reads Entra's log reads this one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from lockstep.actions import logs as actions
from lockstep.actions.context import Context
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, output_option, safe
from lockstep.cli.plans import change_lines
from lockstep.cli.session import run
from lockstep.cli.times import LENGTH, stamp
from lockstep.storage.provisioning_log import LogFilter, LogRow

_COLUMNS = [Column("at", "Time"), Column("status", "Status"), Column("action", "Action"), Column("name", "Who"),
            Column("account", "Account", is_wide=True), Column("reason", "Why"), Column("code", "Code", is_wide=True),
            Column("milliseconds", "ms", is_wide=True), Column("by", "By", is_wide=True), Column("changeId", "Change")]  # fmt: skip
_STATUSES = ["success", "failure", "warning", "skipped"]
_ACTIONS = ["create", "update", "disable", "delete", "stagedDelete", "other"]


@click.group("logs", cls=SuggestingGroup, invoke_without_command=True)
@click.option("--app", default="", help="Only one application.")
@click.option("--user", default="", help="By name, id or account.")
@click.option("--status", type=click.Choice(_STATUSES))
@click.option("--action", type=click.Choice(_ACTIONS), metavar="create|update|disable|delete|other")
@click.option("--since", type=LENGTH, metavar="LENGTH", help="Only this long ago or newer: 10m, 2h, 7d.")
@click.option("--follow", is_flag=True, help="Go on with new ones, until Ctrl-C.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@output_option
@click.pass_context
def logs(ctx: click.Context, /, **given: Any) -> None:
    """Show the provisioning log, newest first.

    \b
    lockstep logs --app documo --status failure --since 2h
    lockstep logs show 0193f0c2-6b1e-7c3a-9d5e-2f8a4b7c1d00
    """
    if ctx.invoked_subcommand is not None:
        return
    wanted, output = _filter(given), given["output"]
    assert isinstance(output, Output)  # noqa: S101  # what output_option gives
    if given["follow"]:
        run(lambda context: _follow(context, wanted, given["app"], output))
        return
    _list(run(lambda context: _read(context, wanted, given["app"], given["limit"], output)), output)


@logs.command("show")
@click.argument("change_id", metavar="CHANGE")
@output_option
def show(change_id: str, output: Output) -> None:
    """Show one change whole: its steps, what was modified, and what was said over the wire.

    \b
    lockstep logs show 0193f0c2-6b1e-7c3a-9d5e-2f8a4b7c1d00
    lockstep logs show 0193f0c2-6b1e-7c3a-9d5e-2f8a4b7c1d00 -o json
    """

    async def work(context: Context) -> tuple[list[LogRow], list[dict[str, Any]]]:
        rows = await actions.show_log(context, change_id)
        return rows, await actions.as_graph(context, rows)

    rows, graph = run(work)
    if output.form in ("json", "jsonl", "yaml", "csv", "name"):
        output.many(graph, [Column(key, key) for key in graph[0]], name="changeId")
        return
    for row in rows:
        click.echo("\n".join(_lines(row)))


async def _read(context: Context, wanted: LogFilter, app: str, limit: int, output: Output) -> list[dict[str, Any]]:
    rows = await actions.list_log(context, wanted, app=app, limit=limit)
    return await _rows(context, rows, output)


async def _follow(context: Context, wanted: LogFilter, app: str, output: Output) -> None:
    streams = output.form in ("json", "jsonl")
    async for row in actions.follow_log(context, wanted, app=app):
        if streams:
            Output("jsonl").many(await _rows(context, [row], Output("jsonl")), _COLUMNS)
        else:
            one = _row(row)
            shown = [safe(one[key]) for key in ("at", "status", "action", "name", "reason")]
            click.echo(f"{shown[0]}  {shown[1]:<8} {shown[2]:<8} {shown[3]}   {shown[4]}")
        sys.stdout.flush()


async def _rows(context: Context, rows: list[LogRow], output: Output) -> list[dict[str, Any]]:
    if output.form in ("json", "jsonl", "yaml") and not output.quiet:
        return await actions.as_graph(context, rows)
    return [_row(row) for row in rows]


def _list(rows: Sequence[dict[str, Any]], output: Output) -> None:
    output.many(rows, _COLUMNS, name="changeId", empty="The log has nothing like that.")


def _filter(given: dict[str, Any]) -> LogFilter:
    since: timedelta | None = given["since"]
    return LogFilter(
        person=given["user"] or None,
        status=given["status"],
        action=given["action"],
        after=datetime.now(UTC) - since if since else None,
    )


def _row(row: LogRow) -> dict[str, Any]:
    return {
        "at": stamp(row.at),
        "status": row.status,
        "action": row.action,
        "name": row.source_display or row.source_id or row.target_id,
        "account": row.target_display or row.target_id,
        "reason": row.reason,
        "code": row.error_code,
        "milliseconds": row.duration_ms,
        "by": row.initiated_by,
        "changeId": row.change_id,
    }


def _lines(row: LogRow) -> list[str]:
    record = row.record
    lines = [f"{row.status} {row.action}  {row.source_display}   {row.reason}"]
    pairs = [("time", stamp(row.at)), ("change", row.change_id), ("account", f"{row.target_display} {row.target_id}".strip()),
             ("took", f"{row.duration_ms} ms"), ("by", row.initiated_by)]  # fmt: skip
    lines += [f"  {label:<8} {text}" for label, text in pairs if text]
    for number, step in enumerate(record.get("steps") or [], 1):
        lines.append(f"  {number}. {step['provisioningStepType']:<19} {step['status']:<8} {step['description']}")
    lines += list(change_lines(list(record.get("modifiedProperties") or [])))
    error = record.get("errorInformation") or {}
    lines += [
        f"  {label:<8} {error[key]}"
        for label, key in (("error", "reason"), ("next", "recommendedAction"))
        if error.get(key)
    ]
    for one in record.get("exchanges") or []:
        lines.append(f"  HTTP     {one.get('method', '')} {one.get('url', '')} -> {one.get('status')}")
    return [safe(line) for line in lines]
