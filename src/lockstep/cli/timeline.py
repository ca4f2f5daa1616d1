"""`lockstep timeline`: what happened to a person or a group, in the directory and in all applications."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from lockstep.actions import timeline as actions
from lockstep.actions.context import Context
from lockstep.actions.rows.timeline import TimelineEventJson, event_json
from lockstep.cli.output import Column, Output, hint, output_option
from lockstep.cli.page_address import PERSON_OR_GROUP
from lockstep.cli.session import run
from lockstep.cli.times import TIME, local_time
from lockstep.wording import counted

_COLUMNS = [
    Column("time", "Time", show=local_time),
    Column("event", "Event"),
    Column("by", "By"),
    Column("detail", "Why"),
    Column("result", "Result", is_wide=True),
    Column("values", "Old and new values", is_wide=True),
    Column("kind", "Kind", is_wide=True),
    Column("application", "Application", is_wide=True),
    Column("id", "Id", is_wide=True),
]


@click.command("timeline")
@click.argument("subject", metavar="PERSON|GROUP|URL", type=PERSON_OR_GROUP)
@click.option("--only", default="", metavar="PART", help="Only this: directory, sign-ins, or an application.")
@click.option("--since", type=TIME, metavar="TIME", help="Only events newer than this: 2h, 7d, 1w, 2026-11-01.")
@click.option("--until", type=TIME, metavar="TIME", help="Only events older than this.")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="Number of events (0 = all).")
@output_option
def timeline(
    subject: str, only: str, since: datetime | None, until: datetime | None, limit: int, output: Output
) -> None:
    """Show what happened to a person or a group, newest first.

    The events are changes in the directory, provisioning in the applications, and sign-ins. URL is the address of the page of the person or
    the group.

    \b
    lockstep timeline kim.berg@contoso.test
    lockstep timeline kim.berg@contoso.test --only documo --since 7d -o csv
    """
    name, events, has_more = run(lambda context: _read(context, subject, only, since, until, limit))
    is_json = output.query or output.form in ("json", "jsonl", "yaml")
    rows = list(events) if is_json else [{**one, "values": _values(one)} for one in events]
    output.many(rows, _COLUMNS, name="id", empty=f"Nothing happened to {name} in this time.")
    if has_more:
        hint(f"These are the newest {counted(len(events), 'event')}. Show all: --limit 0")


async def _read(
    context: Context, subject: str, only: str, since: datetime | None, until: datetime | None, limit: int
) -> tuple[str, list[TimelineEventJson], bool]:
    """Return the name of the subject, at most *limit* of the newest events, and whether there are more. A *limit* of 0 returns all."""
    found = await actions.find_subject(context, subject)
    size = min(limit + 1, actions.EXPORTED) if limit else actions.EXPORTED
    events: list[TimelineEventJson] = []
    async for page in actions.pages_of_timeline(context, found.id, only=only, after=since, before=until, size=size):
        events += [event_json(one, page.names, page.apps) for one in page.events]
        if limit and len(events) > limit:
            return found.name, events[:limit], True
    return found.name, events, False


def _values(event: TimelineEventJson) -> str:
    def text(value: Any) -> str:
        return "" if value is None else str(value)

    return "; ".join(f"{one['attribute']}: {text(one['before'])} -> {text(one['after'])}" for one in event["changes"])
