"""`lockstep activity`: the figures that the charts show, for one application or for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from lockstep.actions import activity as actions
from lockstep.actions import throughput
from lockstep.actions.context import Context
from lockstep.actions.rows.activity import (
    ActivityJson,
    AppActivityJson,
    PercentilesJson,
    activity_json,
    app_activity_json,
)
from lockstep.actions.throughput import ChartSpan
from lockstep.cli.output import Column, Output, output_option
from lockstep.cli.page_address import APPLICATION
from lockstep.cli.session import run
from lockstep.cli.times import local_time
from lockstep.wording import counted, duration

_NUMBERS = [
    Column("created", "Created"),
    Column("changed", "Updated"),
    Column("removed", "Disabled or deleted"),
    Column("failed", "Failed"),
]
_DAYS = [Column("day", "Day"), *_NUMBERS]
_STEPS = [
    Column("time", "Time", show=local_time),
    *_NUMBERS,
    Column("waiting", "Pending changes"),
    Column("p50Seconds", "Response p50 (s)"),
    Column("p95Seconds", "Response p95 (s)"),
]
_LISTS = frozenset({"csv", "markdown", "table", "wide"})


@click.command("activity")
@click.argument("app", required=False, default="", type=APPLICATION)
@click.option(
    "--span",
    type=click.Choice([one.value for one in ChartSpan]),
    default=ChartSpan.HOUR.value,
    show_default=True,
    help="Period that the figures for one application cover.",
)
@output_option
def activity(app: str, span: str, output: Output) -> None:
    """Show how much was provisioned, how fast, and how long people waited, for all applications or for one.

    The table for one application leaves out times without activity.

    \b
    lockstep activity
    lockstep activity documo --span 24h -o csv
    """
    if app:
        _show_application(run(lambda context: _of_application(context, app, ChartSpan(span))), output)
    else:
        _show_all(run(_of_all), output)


async def _of_application(context: Context, app: str, span: ChartSpan) -> AppActivityJson:
    found = await throughput.show_throughput(context, app, span=span)
    return app_activity_json(found, await actions.daily_activity(context, app=found.app))


async def _of_all(context: Context) -> ActivityJson:
    days = await actions.daily_activity(context)
    written = await actions.activity_of_each(context)
    return activity_json(days, written, await throughput.show_leaving(context))


def _show_application(found: AppActivityJson, output: Output) -> None:
    if not _is_list(output):
        output.one({**found}, text="")
        return
    is_whole = output.form not in ("table", "wide")
    rows: list[dict[str, Any]] = [{**one, **_rounded(one["responses"])} for one in found["steps"]]
    shown = [row for row in rows if is_whole or any(row[column.key] for column in _STEPS[1:])]
    output.many(shown, _STEPS, name="time", empty="Nothing was provisioned in this time.")
    _tell(_lines_of_application(found), output)


def _show_all(found: ActivityJson, output: Output) -> None:
    if not _is_list(output):
        output.one({**found}, text="")
        return
    output.many(found["days"], _DAYS, name="day")
    _tell([_waited("Time to deprovision", found["lost"], found["targetSeconds"])], output)


def _is_list(output: Output) -> bool:
    return not output.query and (output.quiet or output.form in {*_LISTS, "name"})


def _tell(lines: Sequence[str], output: Output) -> None:
    if output.form in ("table", "wide") and not output.quiet:
        click.echo("\n".join(["", *lines]))


def _lines_of_application(found: AppActivityJson) -> list[str]:
    return [*_queue(found), *_waits(found)]


def _queue(found: AppActivityJson) -> Iterator[str]:
    waiting, empty = found["waiting"], found["emptyInSeconds"]
    ending = f", empty in about {duration(empty)} at the rate of the last 10 minutes" if empty is not None else ""
    yield f"Pending changes: {counted(waiting, 'object')}{ending}" if waiting else "Pending changes: nothing is waiting"


def _waits(found: AppActivityJson) -> Iterator[str]:
    yield _waited("Time to provision", found["gained"], found["targetSeconds"])
    yield _waited("Time to deprovision", found["lost"], found["targetSeconds"])


def _waited(title: str, waits: PercentilesJson, target: int) -> str:
    if waits["p50Seconds"] is None or waits["p95Seconds"] is None:
        return f"{title}: none in the last 7 days"
    p50, p95 = duration(waits["p50Seconds"]), duration(waits["p95Seconds"])
    return f"{title}: p50 {p50}, p95 {p95} (target {duration(target)}), {counted(waits['number'], 'account')} in the last 7 days"


def _rounded(responses: PercentilesJson) -> dict[str, float | None]:
    return {
        "p50Seconds": None if responses["p50Seconds"] is None else round(responses["p50Seconds"], 3),
        "p95Seconds": None if responses["p95Seconds"] is None else round(responses["p95Seconds"], 3),
    }
