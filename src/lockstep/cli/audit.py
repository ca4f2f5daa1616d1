"""`lockstep audit`: who changed what and when, with the values before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click

from lockstep.actions import audit as actions
from lockstep.actions.audit import AuditFilter, AuditRow
from lockstep.actions.context import Context
from lockstep.actions.rows.records import audit_json
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, hint, output_option, safe
from lockstep.cli.page_address import AUDIT_ENTRY
from lockstep.cli.session import run
from lockstep.cli.times import TIME, iso, local_time
from lockstep.errors import conflict

_PAGE = 1_000
_COLUMNS = [Column("number", "No."), Column("at", "Time", show=local_time), Column("actor", "Who"), Column("activity", "Activity"),
            Column("object", "Object"), Column("before", "Before", is_wide=True), Column("after", "After", is_wide=True)]  # fmt: skip


@click.group("audit", cls=SuggestingGroup, invoke_without_command=True)
@click.option("--actor", metavar="TEXT", help="Part of the actor's name.")
@click.option("--activity", metavar="TEXT", help="Part of the activity, for example mappings.")
@click.option("--object", "target", metavar="TEXT", help="Part of the name of the changed object.")
@click.option("--since", type=TIME, metavar="TIME", help="Only entries newer than this: 2h, 7d, 1w, 2026-11-01.")
@click.option("--until", type=TIME, metavar="TIME", help="Only entries older than this.")
@click.option(
    "--limit", type=click.IntRange(0), default=50, show_default=True, help="Maximum number of entries (0 = all)."
)
@click.option("--after", type=click.IntRange(1), metavar="NUMBER", help="Continue with entries older than this one.")
@output_option
@click.pass_context
def audit(ctx: click.Context, /, **given: Any) -> None:
    """Show who changed what, newest first.

    \b
    lockstep audit --activity mappings --since 7d
    lockstep audit verify
    """
    if ctx.invoked_subcommand is not None:
        return
    output: Output = given["output"]
    wanted = AuditFilter(
        actor=given["actor"],
        activity=given["activity"],
        object=given["target"],
        after=given["since"],
        before=given["until"],
        below_seq=given["after"],
    )
    limit = int(given["limit"]) or None
    found = run(lambda context: _entries(context, wanted, limit))
    shown = found[:limit]
    output.many([audit_json(one) for one in shown], _COLUMNS, name="number", empty="No audit entries match.")
    if len(found) > len(shown):
        hint(f"There are more entries. Continue with: --after {shown[-1].seq}, or show all: --limit 0")


async def _entries(context: Context, wanted: AuditFilter, limit: int | None) -> list[AuditRow]:
    """Return the entries that *wanted* selects, read page by page. At most *limit* + 1 entries are returned; the extra entry shows that
    there are more than *limit*. A *limit* of None returns all entries.
    """
    found: list[AuditRow] = []
    page = wanted
    while limit is None or len(found) <= limit:
        size = _PAGE if limit is None else min(_PAGE, limit + 1 - len(found))
        rows = await actions.list_entries(context, page, limit=size)
        found += rows
        if len(rows) < size:
            break
        page = replace(wanted, below_seq=rows[-1].seq)
    return found


@audit.command("show")
@click.argument("number", metavar="NUMBER|URL", type=AUDIT_ENTRY)
@output_option
def show(number: int, output: Output) -> None:
    """Show one entry in full, with the values before and after.

    \b
    lockstep audit show 4711
    """
    found = run(lambda context: actions.show_entry(context, number))
    output.one(audit_json(found), text=[safe(line) for line in _lines(found)])


@audit.command("verify")
@output_option
def verify(output: Output) -> None:
    """Verify the hash chain: no entry was changed and none is missing.

    \b
    lockstep audit verify
    """
    broken = run(actions.verify)
    if broken is not None:
        raise conflict(
            f"The audit log fails verification at entry {broken.seq}: {broken.why}",
            next_step="Compare it with a backup: something other than Lockstep has written to the database",
        )
    output.one({"intact": True}, text="Verified: no entry was changed and none is missing.")


def _lines(entry: AuditRow) -> Iterator[str]:
    yield f"{entry.activity}   {entry.object}"
    yield f"  time     {iso(entry.at)}"
    yield f"  who      {entry.actor}"
    yield f"  entry    {entry.seq}, hash {bytes(entry.hash).hex()}"
    before, after = _flat(entry.before), _flat(entry.after)
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) == after.get(key):
            continue
        if key not in before:
            yield f"  + {key}: {after[key]}"
        elif key not in after:
            yield f"  - {key}: {before[key]}"
        else:
            yield f"  ~ {key}: {before[key]} -> {after[key]}"


def _flat(value: Any, place: str = "") -> dict[str, str]:
    """Return all leaf values of *value* as text. The key of each leaf value is its path."""
    if isinstance(value, dict):
        inner = [_flat(one, f"{place}.{key}" if place else str(key)) for key, one in value.items()]
    elif isinstance(value, list):
        inner = [_flat(one, f"{place}[{_name(one, index)}]") for index, one in enumerate(value)]
    else:
        return {} if value is None else {place: safe(value)}
    return {key: text for part in inner for key, text in part.items()}


def _name(value: Any, index: int) -> str:
    """Return the name of a list element: its identifying value, otherwise its index."""
    if isinstance(value, dict):
        return str(next((value[key] for key in ("target", "title", "name", "value") if value.get(key)), index))
    return str(index)
