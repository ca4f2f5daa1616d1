"""`lockstep sources`: where people and groups come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from lockstep.actions import sources as actions
from lockstep.actions.context import Context
from lockstep.actions.sources import SourceView, counts_of
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, confirm, hint, output_option, safe
from lockstep.cli.session import run
from lockstep.directory.intake import Guard, IntakeOptions
from lockstep.directory.rows import PassKind, PassResult
from lockstep.errors import EXIT_CODES, Kind, invalid

DEFAULT_SOURCE = "csv"
_SHOWN_BAD_ROWS = 10

file_option = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=SuggestingGroup)
def sources() -> None:
    """Where people and groups come from.

    \b
    lockstep sources import people.csv
    lockstep sources add hr --people people.csv --groups groups.csv --members members.csv
    """


def _csv_options(command: Any) -> Any:
    for option in (
        click.option(
            "--map", "mapping", multiple=True, metavar="COLUMN=ATTRIBUTE", help="What a column means. Repeatable."
        ),
        click.option("--encoding", default="", help="Of the file; found out by default."),
        click.option("--delimiter", default="", help="Of the file; found out by default."),
        click.option("--partial", is_flag=True, help="Who is not in the file stays."),
    ):
        command = option(command)
    return command


@sources.command("add")
@click.argument("name")
@click.option("--people", type=file_option, help="A CSV file of people.")
@click.option("--groups", type=file_option, help="A CSV file of groups.")
@click.option("--members", type=file_option, help="A CSV file of group members.")
@click.option("--display-name", default="", help="As it is shown.")
@click.option("--replace", "replaces", is_flag=True, help="Overwrite a source of that name.")
@_csv_options
@output_option
def add(
    name: str, people: Path | None, groups: Path | None, members: Path | None, display_name: str, replaces: bool,
    mapping: tuple[str, ...], encoding: str, delimiter: str, partial: bool, output: Output,
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
    config = _config(files, mapping, encoding, delimiter, partial)

    async def work(context: Context) -> None:
        await actions.save_source(
            context, name, kind="csv", config=config, display_name=display_name, replaces=replaces
        )

    run(work)
    output.one({"name": name, "kind": "csv", "config": config}, text=f"Source {name} is registered.")
    hint(f"Next: lockstep sources import {name}")


@sources.command("import")
@click.argument("what", metavar="SOURCE|FILE")
@click.option("--source", default="", help=f"The source that FILE belongs to (default: {DEFAULT_SOURCE}).")
@click.option(
    "--kind", type=click.Choice([str(kind) for kind in PassKind]), help="What FILE holds; found out by default."
)
@click.option(
    "--group", default="", metavar="NAME", help="FILE lists the members of this group (Entra: Download members)."
)
@click.option(
    "--max-drop", type=click.FloatRange(0, 100), default=10.0, show_default=True, help="Percent that may leave at once."
)
@click.option(
    "--max-drop-count",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="So many may always leave, less one.",
)
@_csv_options
@output_option
def import_(
    what: str, source: str, kind: str | None, group: str, max_drop: float, max_drop_count: int,
    mapping: tuple[str, ...], encoding: str, delimiter: str, partial: bool, output: Output,
) -> None:  # fmt: skip
    """Read a source, or a CSV file, into the directory.

    Who is no longer in a whole file leaves; if that would be too many at once, nobody does until you confirm.

    \b
    lockstep sources import hr
    lockstep sources import people.csv --map "E-mail=userPrincipalName"
    lockstep sources import sales-members.csv --group Sales
    """
    if group and kind not in (None, str(PassKind.MEMBERS)):
        raise click.UsageError(f"--group names whose members FILE lists, so it cannot hold {kind}")
    options = IntakeOptions(Guard(percent=max_drop, least=max_drop_count))
    path = Path(what)
    files = [{"path": str(path.absolute()), "kind": kind} | ({"group": group} if group else {})]
    looks_like_a_name = not path.exists() and not path.suffix and "/" not in what

    async def work(context: Context) -> tuple[str, list[PassResult]]:
        known = {view.source.name for view in await actions.list_sources(context)}
        if what in known and not source and not group:
            return what, await actions.import_source(context, what, options=options)
        if looks_like_a_name:
            await actions.show_source(context, what)  # there is none: says so, with what was probably meant
        config = _config(files, mapping, encoding, delimiter, partial)
        name = source or DEFAULT_SOURCE
        if name not in known:
            await actions.save_source(context, name, kind="csv", config=config)
        return name, await actions.import_source(context, name, config=config, options=options)

    name, results = run(work, label="Importing")
    output.one(
        {
            "source": name,
            "passes": [{"kind": str(one.kind), **counts_of(one), "badRows": _bad(one)} for one in results],
        },
        text=[_summary(one) for one in results],
    )
    _explain(name, results)
    if code := _exit_code(results):
        raise click.exceptions.Exit(code)


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


def _config(
    files: Sequence[Mapping[str, str | None]], mapping: Sequence[str], encoding: str, delimiter: str, partial: bool
) -> dict[str, Any]:
    columns = {}
    for one in mapping:
        column, equals, attribute = one.rpartition("=")
        if not equals or not column:
            raise invalid(f'"{one}" is no map', next_step="Write it as --map COLUMN=ATTRIBUTE")
        columns[column] = attribute
    config: dict[str, Any] = {"files": list(files)}
    texts = {"map": columns, "encoding": encoding, "delimiter": "\t" if delimiter in ("tab", "\\t") else delimiter}
    return config | {name: value for name, value in texts.items() if value} | ({"partial": True} if partial else {})


def _row(view: SourceView) -> dict[str, Any]:
    return {
        "name": view.source.name,
        "kind": view.source.kind,
        "displayName": view.source.display_name,
        "people": view.counts["people"],
        "groups": view.counts["groups"],
        "waiting": "; ".join(hold.reason for hold in view.holds),
    }


def _summary(result: PassResult) -> str:
    counts = [
        (result.created, "added" if result.kind is PassKind.MEMBERS else "created"), (result.updated, "updated"),
        (result.restored, "restored"), (result.removed, "removed"), (result.unchanged, "unchanged"),
        (result.awaited, "waiting for people who are not there yet"), (result.bad, "bad rows"),
    ]  # fmt: skip
    return f"{result.kind:<8} {result.read:>9,} read: " + (
        ", ".join(f"{n:,} {word}" for n, word in counts if n) or "nothing"
    )


def _bad(result: PassResult) -> list[dict[str, Any]]:
    return [{"line": row.line, "column": row.column, "reason": row.reason, "key": row.key} for row in result.bad_rows]


def _explain(name: str, results: Sequence[PassResult]) -> None:
    """What is remarkable, on stderr."""
    for result in results:
        for row in result.bad_rows[:_SHOWN_BAD_ROWS]:
            hint(f"  line {row.line}{f', {row.column}' if row.column else ''}: {row.reason}")
        if result.bad > _SHOWN_BAD_ROWS:
            hint(f"  ... and {result.bad - _SHOWN_BAD_ROWS:,} more bad rows (up to 100 of them: -o json)")
        if result.bad:
            hint("  The people of bad rows stay as they were.")
        if result.ignored:
            hint(f"  Columns that mean nothing here: {', '.join(result.ignored)}")
        if result.error:
            hint(f"  {result.error}. Nobody was removed.")
        elif result.unproven:
            hint(f"  Nobody was removed: {result.unproven}.")
        if result.held:
            hint(f"  Nobody was removed: {result.held}.")
            hint(f"  Decide: lockstep sources confirm {name}   or   lockstep sources reject {name}")


def _exit_code(results: Sequence[PassResult]) -> int:
    if any(result.held for result in results):
        return EXIT_CODES[Kind.HELD]
    return EXIT_CODES[Kind.PARTIAL] if any(result.bad or result.error for result in results) else 0
