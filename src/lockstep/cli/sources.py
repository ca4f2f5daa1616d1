"""`lockstep sources`: where people and groups come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lockstep.actions import sources as actions
from lockstep.actions.context import Context
from lockstep.actions.sources import SourceView
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, confirm, hint, output_option, safe
from lockstep.cli.session import run
from lockstep.cli.source_import import import_
from lockstep.cli.source_options import ReadingOptions, config_from, reading_options
from lockstep.errors import EXIT_CODES, Kind

file_option = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=SuggestingGroup)
def sources() -> None:
    """Where people and groups come from.

    \b
    lockstep sources import people.csv
    lockstep sources add hr --people people.csv --groups groups.csv --members members.csv
    """


sources.add_command(import_)


@sources.command("add")
@click.argument("name")
@click.option("--people", type=file_option, help="A CSV file of people.")
@click.option("--groups", type=file_option, help="A CSV file of groups.")
@click.option("--members", type=file_option, help="A CSV file of group members.")
@click.option("--display-name", default="", help="As it is shown.")
@click.option("--replace", "replaces", is_flag=True, help="Overwrite a source of that name.")
@reading_options
@output_option
def add(
    name: str, people: Path | None, groups: Path | None, members: Path | None, display_name: str, replaces: bool,
    output: Output, **reading: Any,
) -> None:  # fmt: skip
    """Register a source of CSV files.

    \b
    lockstep sources add hr --people people.csv
    lockstep sources add hr --people staff.csv --map "E-mail=userPrincipalName"
    """
    files = [{"path": str(path.absolute()), "kind": kind}
             for path, kind in ((people, "people"), (groups, "groups"), (members, "members")) if path]  # fmt: skip
    if not files:
        raise click.UsageError("Name a file: --people FILE")
    config = config_from(files, ReadingOptions(**reading))

    async def work(context: Context) -> None:
        await actions.save_source(
            context, name, kind="csv", config=config, display_name=display_name, replaces=replaces
        )

    run(work)
    output.one({"name": name, "kind": "csv", "config": config}, text=f"Source {name} is registered.")
    hint(f"Next: lockstep sources import {name}")


@sources.command("list")
@output_option
def list_(output: Output) -> None:
    """List the sources.

    \b
    lockstep sources list
    """
    views = run(actions.list_sources)
    columns = [Column("name", "Name"), Column("kind", "Kind"), Column("people", "People"), Column("groups", "Groups"),
               Column("waiting", "Waits for a decision"), Column("displayName", "Display name", is_wide=True)]  # fmt: skip
    output.many(
        [_row(view) for view in views], columns, empty="No source yet. Add one: lockstep sources import people.csv"
    )


@sources.command("show")
@click.argument("name")
@output_option
def show(name: str, output: Output) -> None:
    """Show one source: its files, what it has brought, what waits for a decision.

    \b
    lockstep sources show hr
    """
    _show(name, output)


@sources.command("status")
@click.argument("name")
@output_option
def status(name: str, output: Output) -> None:
    """Show whether something waits for a decision; exit code 6 if so.

    \b
    lockstep sources status hr
    """
    if _show(name, output).holds:
        raise click.exceptions.Exit(EXIT_CODES[Kind.HELD])


@sources.command("confirm")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def confirm_(name: str, yes: bool, output: Output) -> None:
    """Let those leave whom the source no longer names.

    \b
    lockstep sources confirm hr
    """
    view = run(lambda context: actions.show_source(context, name))
    for hold in view.holds:
        hint(hold.reason)
    if view.holds:
        confirm(f"Let {sum(hold.missing for hold in view.holds):,} leave?", yes=yes)
    left = run(lambda context: actions.confirm_hold(context, name))
    output.one({"source": name, "left": left}, text=f"{left:,} have left.")


@sources.command("reject")
@click.argument("name")
@output_option
def reject(name: str, output: Output) -> None:
    """Keep those whom the source no longer names.

    \b
    lockstep sources reject hr
    """
    kept = run(lambda context: actions.reject_hold(context, name))
    output.one({"source": name, "kept": kept}, text=f"{kept:,} stay. Another import asks again.")


@sources.command("remove")
@click.argument("name")
@click.option("--with-objects", is_flag=True, help="Delete its people and groups along with it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def remove(name: str, with_objects: bool, yes: bool, output: Output) -> None:
    """Forget a source.

    \b
    lockstep sources remove hr
    """
    if with_objects:
        view = run(lambda context: actions.show_source(context, name))
        confirm(f"Delete {view.counts['people']:,} people and {view.counts['groups']:,} groups of {name}?", yes=yes)
    removed = run(lambda context: actions.remove_source(context, name, with_objects=with_objects))
    output.one({"source": name, "removed": removed}, text=f"Source {name} is removed.")


def _show(name: str, output: Output) -> SourceView:
    view = run(lambda context: actions.show_source(context, name))
    row = _row(view) | {"config": dict(view.source.config), "keys": (view.source.watermark or {}).get("keys", {})}
    lines = [
        f"{view.source.name}  {view.source.kind}",
        f"  people   {view.counts['people']:,}",
        f"  groups   {view.counts['groups']:,}",
    ]
    lines += [f"  {file['kind'] or 'file':<8} {safe(file['path'])}" for file in view.source.config.get("files", [])]
    lines += [f"  waits    {hold.reason}" for hold in view.holds]
    output.one(row, text=lines)
    if view.holds:
        hint(f"Decide: lockstep sources confirm {name}   or   lockstep sources reject {name}")
    return view


def _row(view: SourceView) -> dict[str, Any]:
    return {
        "name": view.source.name,
        "kind": view.source.kind,
        "displayName": view.source.display_name,
        "people": view.counts["people"],
        "groups": view.counts["groups"],
        "waiting": "; ".join(hold.reason for hold in view.holds),
    }
