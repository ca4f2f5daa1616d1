"""`lockstep logs`: list the provisioning log, show one change, follow the log.

The JSON has the format of Microsoft Graph (provisioningObjectSummary), so that programs for Entra's log can read it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import click

from lockstep.actions import logs as actions
from lockstep.actions.context import Context
from lockstep.actions.logs import ChangeRow, LogFilter, LogRow
from lockstep.cli import SuggestingGroup
from lockstep.cli.logs_sign_ins import sign_ins
from lockstep.cli.output import Column, Output, hint, output_option, safe
from lockstep.cli.page_address import APPLICATION, CHANGE, PERSON_OR_GROUP
from lockstep.cli.plans import change_lines
from lockstep.cli.session import run
from lockstep.cli.times import TIME, iso, local_stamp, local_time
from lockstep.endings import ends_with_reader
from lockstep.errors import Kind, LockstepError

_COLUMNS = [Column("number", "No."), Column("at", "Time", show=local_time), Column("status", "Status"), Column("action", "Action"),
            Column("name", "Who"), Column("account", "Account", is_wide=True), Column("reason", "Why"),
            Column("application", "Application", is_wide=True), Column("changes", "Old and new values", is_wide=True),
            Column("code", "Code", is_wide=True), Column("milliseconds", "ms", is_wide=True), Column("cause", "Cause", is_wide=True),
            Column("by", "By", is_wide=True),
            Column("changeId", "Change", is_wide=True)]  # fmt: skip
_AGAIN_SECONDS = 2.0  # between attempts to reach a server
_STATUSES = ["success", "failure", "warning", "skipped"]
_ACTIONS = ["create", "update", "disable", "delete", "stagedDelete", "other"]


@click.group("logs", cls=SuggestingGroup, invoke_without_command=True)
@click.option("--app", default="", type=APPLICATION, help="Only this application.")
@click.option(
    "--user", default="", type=PERSON_OR_GROUP, help="Person or group by current or earlier name, id or account."
)
@click.option(
    "--status",
    type=click.Choice(_STATUSES),
    metavar="STATUS",
    help="Status: success, failure, warning or skipped.",
)
@click.option(
    "--action",
    type=click.Choice(_ACTIONS),
    metavar="ACTION",
    help="create, update, disable, delete, stagedDelete, other.",
)
@click.option("--since", type=TIME, metavar="TIME", help="Only records newer than this: 2h, 7d, 1w, 2026-11-01.")
@click.option("--until", type=TIME, metavar="TIME", help="Only records older than this.")
@click.option("--follow", is_flag=True, help="Keep showing new entries until Ctrl-C.")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="Number of records (0 = all).")
@click.option("--after", type=click.IntRange(1), metavar="NUMBER", help="Continue with records older than this one.")
@output_option
@click.pass_context
def logs(ctx: click.Context, /, **given: Any) -> None:
    """Show the provisioning log, newest first.

    \b
    lockstep logs --app documo --status failure --since 2h
    lockstep logs --action disable --since 2026-11-01 --limit 0 -o csv
    """
    if ctx.invoked_subcommand is not None:
        return
    wanted, output = _filter(given), given["output"]
    assert isinstance(output, Output)  # noqa: S101  # set by output_option
    if given["follow"]:
        run(lambda context: _follow(context, wanted, given["app"], output))
        return
    limit = given["limit"] or None
    rows, next_number = run(lambda context: _read(context, wanted, given["app"], limit, output))
    output.many(rows, _COLUMNS, name="changeId", empty="No log entries match.")
    if next_number is not None:
        hint(f"There are more entries. Continue with: --after {next_number}, or show all: --limit 0")


logs.add_command(sign_ins)


@logs.command("show")
@click.argument("change", metavar="NUMBER|CHANGE|URL", type=CHANGE)
@output_option
def show(change: str, output: Output) -> None:
    """Show one change in full: its steps, what was modified, and the HTTP exchange.

    NUMBER is the first column of the list. A change id can be abbreviated. URL is the address of the change's page.

    \b
    lockstep logs show 4711
    lockstep logs show 0193f0c2-6b1e -o json
    """

    async def work(context: Context) -> tuple[list[LogRow], list[dict[str, Any]], ChangeRow | None]:
        rows = await actions.show_log(context, change)
        return rows, await _graph(context, rows), await actions.directory_change_before(context, rows[0])

    rows, graph, earlier = run(work)
    if output.form in ("json", "jsonl", "yaml", "csv", "name"):
        output.many(graph, [Column(key, key) for key in graph[0]], name="changeId")
        return
    for row in rows:
        click.echo("\n".join(_lines(row)))
    if earlier is not None:
        what = f"{earlier.what} {', '.join(earlier.changed[:5])}".strip()
        hint(f"Latest change in the directory before this: {what}, by {earlier.actor}, {local_stamp(earlier.at)}")


async def _read(
    context: Context, wanted: LogFilter, app: str, limit: int | None, output: Output
) -> tuple[list[dict[str, Any]], int | None]:
    """Return the rows to show, and the number of the last of these rows. The number is None if no more rows follow. The next page starts
    below the number.
    """
    found: list[LogRow] = []
    size = {} if limit is None else {"size": limit + 1}
    async for page in actions.pages_of_log(context, wanted, app=app, **size):
        found += page
        if limit is not None and len(found) > limit:
            break
    shown = found if limit is None else found[:limit]
    more = shown[-1].seq if len(found) > len(shown) else None
    return await _rows(context, shown, output), more


async def _follow(context: Context, wanted: LogFilter, app: str, output: Output) -> None:
    streams = output.form in ("json", "jsonl")
    with ends_with_reader():
        async for row in _new_rows(context, wanted, app):
            if streams:
                Output("jsonl").many(await _rows_of_one(context, row), _COLUMNS)
            else:
                one = _row(row) | {"at": local_time(iso(row.at) or "")}
                shown = [safe(one[key]) for key in ("at", "status", "action", "name", "reason")]
                click.echo(f"{shown[0]}  {shown[1]:<8} {shown[2]:<8} {shown[3]}   {shown[4]}")
            sys.stdout.flush()


async def _new_rows(context: Context, wanted: LogFilter, app: str) -> AsyncIterator[LogRow]:
    """Yield new records without end. After a lost connection to a server, reconnects and leaves out no record."""
    newest = await actions.list_log(context, wanted, app=app, limit=1)
    after = newest[0].seq if newest else 0
    while True:
        try:
            async for row in actions.follow_log(context, wanted, app=app, after=after):
                after = row.seq
                yield row
        except LockstepError as lost:
            await _pause_before_again(context, lost)


async def _rows_of_one(context: Context, row: LogRow) -> list[dict[str, Any]]:
    while True:
        try:
            return await _rows(context, [row], Output("jsonl"))
        except LockstepError as lost:
            await _pause_before_again(context, lost)


async def _pause_before_again(context: Context, lost: LockstepError) -> None:
    """Wait before the next attempt to reach a server. Raises *lost* if another attempt would not help."""
    if context.elsewhere is None or lost.kind is not Kind.UNREACHABLE:
        raise lost
    hint(f"{lost.detail}. Trying again.")
    await asyncio.sleep(_AGAIN_SECONDS)


async def _rows(context: Context, rows: list[LogRow], output: Output) -> list[dict[str, Any]]:
    graph = await _graph(context, rows)
    if output.query or (output.form in ("json", "jsonl", "yaml") and not output.quiet):
        return graph
    return [_row(row, one["targetSystem"]["displayName"]) for row, one in zip(rows, graph, strict=True)]


async def _graph(context: Context, rows: list[LogRow]) -> list[dict[str, Any]]:
    return actions.graph_records(rows, await actions.graph_names(context, sorted({row.app for row in rows})))


def _filter(given: dict[str, Any]) -> LogFilter:
    return LogFilter(
        person=given["user"] or None,
        status=given["status"],
        action=given["action"],
        after=given["since"],
        before=given["until"],
        below_seq=given["after"],
    )


def _row(row: LogRow, application: str = "") -> dict[str, Any]:
    return {
        "number": row.seq,
        "at": iso(row.at),
        "status": row.status,
        "action": row.action,
        "name": row.source_display or row.source_id or row.target_id,
        "account": row.target_display or row.target_id,
        "reason": row.reason,
        "application": application,
        "changes": "; ".join(_value_changes(row)),
        "code": row.error_code,
        "milliseconds": row.duration_ms,
        "by": row.initiated_by,
        "cause": str(row.record.get("cause") or ""),
        "changeId": row.change_id,
    }


def _value_changes(row: LogRow) -> list[str]:
    changes = row.record.get("modifiedProperties") or []
    return [f"{one['displayName']}: {one.get('oldValue')} -> {one.get('newValue')}" for one in changes]


def _lines(row: LogRow) -> list[str]:
    record = row.record
    lines = [f"{row.status} {row.action}  {row.source_display}   {row.reason}"]
    pairs = [("time", iso(row.at)), ("change", row.change_id), ("account", f"{row.target_display} {row.target_id}".strip()),
             ("took", f"{row.duration_ms} ms"), ("cause", str(record.get("cause") or "")), ("by", row.initiated_by)]  # fmt: skip
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
