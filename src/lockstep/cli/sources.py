"""`lockstep sources`: where people and groups come from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from lockstep.actions import source_decisions as decisions
from lockstep.actions import source_keys as keys
from lockstep.actions import sources as actions
from lockstep.actions.context import Context
from lockstep.actions.rows.records import source_details_json, source_json
from lockstep.actions.source_decisions import RENAMING
from lockstep.actions.sources import SourceView
from lockstep.cli import SuggestingGroup
from lockstep.cli.consent import run_asked
from lockstep.cli.output import Column, Output, hint, output_option, safe
from lockstep.cli.page_address import SOURCE
from lockstep.cli.remote.contexts import chosen_server
from lockstep.cli.session import run, settings_of
from lockstep.cli.source_import import import_
from lockstep.cli.source_options import FILE, ReadingOptions, config_from, reading_options
from lockstep.cli.source_rekey import rekey
from lockstep.cli.times import LENGTH, length_text, local_stamp, local_time
from lockstep.engine.rules.durations import print_duration
from lockstep.errors import EXIT_CODES, Kind
from lockstep.sources.registry import SHORTEST_INTERVAL
from lockstep.wording import counted

_SHOWN_HELD = 25
_HELD_SIGNS = {RENAMING: "="}


@click.group(cls=SuggestingGroup)
def sources() -> None:
    """Manage the sources of people and groups.

    \b
    lockstep sources import people.csv
    lockstep sources add hr --people people.csv --groups groups.csv --members members.csv
    """


sources.add_command(import_)
sources.add_command(rekey)


@sources.command("add")
@click.argument("name")
@click.option("--people", type=FILE, help="A CSV file of people.")
@click.option("--groups", type=FILE, help="A CSV file of groups.")
@click.option("--members", type=FILE, help="A CSV file of group members.")
@click.option("--display-name", default="", help="Display name.")
@click.option("--every", type=LENGTH, help="Import again at this interval, such as 15m.")
@click.option("--replace", "replaces", is_flag=True, help="Replace the source of this name.")
@reading_options
@output_option
def add(
    name: str, people: Path | None, groups: Path | None, members: Path | None, display_name: str, every: timedelta | None,
    replaces: bool, output: Output, **reading: Any,
) -> None:  # fmt: skip
    """Register a source of CSV files. How they are read: lockstep help csv. The files must be on the server's machine;
    from another machine, you can name only those in its folder LOCKSTEP_SOURCES.

    \b
    lockstep sources add hr --people people.csv --every 15m
    lockstep sources add hr --people staff.csv --map "E-mail=userPrincipalName" --map "Personnel no=id"
    """
    named = [(path, kind) for path, kind in ((people, "people"), (groups, "groups"), (members, "members")) if path]
    if not named:
        raise click.UsageError("Name a file: --people FILE")
    is_here = chosen_server(settings_of()) is None  # otherwise the files are the server's
    files = [{"path": str(path.absolute() if is_here else path), "kind": kind} for path, kind in named]
    config = config_from(files, ReadingOptions(**reading))
    if every is not None:
        if every < SHORTEST_INTERVAL:
            raise click.UsageError(f"--every must be at least {length_text(SHORTEST_INTERVAL)}")
        config["every"] = print_duration(every)

    async def work(context: Context) -> None:
        await actions.save_source(
            context, name, kind="csv", config=config, display_name=display_name, replaces=replaces
        )

    run(work, creates=True)
    output.one({"name": name, "kind": "csv", "config": config}, text=f"Source {name} was registered.")
    if every is not None:
        hint(f"A worker imports it within a minute, and then every {length_text(every)}.")
    hint(f"Next: lockstep sources import {name}{' --dry-run' if every is None else ''}")


@sources.command("list")
@output_option
def list_(output: Output) -> None:
    """List the sources.

    \b
    lockstep sources list
    """
    views = run(actions.list_sources)
    columns = [
        Column("name", "Name"),
        Column("kind", "Kind"),
        Column("people", "People"),
        Column("groups", "Groups"),
        Column("readAt", "Read", show=local_time),
        Column("waiting", "Waits for a decision"),
        Column("failure", "Failed", is_wide=True),
        Column("displayName", "Display name", is_wide=True),
    ]
    output.many(
        [source_json(view) for view in views],
        columns,
        empty="No source yet. Add one: lockstep sources import people.csv",
    )


@sources.command("show")
@click.argument("name", type=SOURCE)
@output_option
def show(name: str, output: Output) -> None:
    """Show one source: its files, the last import, and pending decisions.

    \b
    lockstep sources show hr
    """
    _show(name, output)


@sources.command("status")
@click.argument("name", type=SOURCE)
@output_option
def status(name: str, output: Output) -> None:
    """Show whether anything waits for a decision; exits with 6 if so.

    \b
    lockstep sources status hr
    """
    if _show(name, output).holds:
        raise click.exceptions.Exit(EXIT_CODES[Kind.HELD])


@sources.command("confirm")
@click.argument("name", type=SOURCE)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def confirm_(name: str, yes: bool, output: Output) -> None:
    """Confirm pending changes: people missing from the source, and people with a new key.

    People missing from the source leave. People with a new key keep their accounts.

    \b
    lockstep sources confirm hr
    """
    view = run(lambda context: actions.show_source(context, name))
    held = run(lambda context: decisions.who_is_held(context, name))
    shown = decisions.mark_of(view.holds)
    for hold in view.holds:
        hint(f"{hold.reason}.")
        for one in held.get(hold.kind, [])[:_SHOWN_HELD]:
            hint(f"  {_HELD_SIGNS.get(hold.kind, '-')} {one}")
        if hold.missing > _SHOWN_HELD:
            hint(f"  ... and {hold.missing - _SHOWN_HELD:,} more: lockstep sources status {name} -o json")
    leavers = sum(hold.missing for hold in view.holds if hold.kind != RENAMING)
    renamed = sum(hold.missing for hold in view.holds if hold.kind == RENAMING)
    asked = [f"remove {leavers:,}"] * bool(leavers) + [f"keep {counted(renamed, 'account')} under a new key"] * bool(
        renamed
    )
    question = f"{' and '.join(asked).capitalize()}?" if asked else ""
    done, effects = run_asked(
        question, lambda context: decisions.confirm_hold(context, name, shown=shown), yes=yes or not asked
    )
    text = [f"Removed {counted(done.left, 'object')} missing from the source."] if leavers else []
    text += (
        [f"{counted(done.renamed, 'person')} got a new key. Import their new values: lockstep sources import {name}"]
        if renamed
        else []
    )
    output.one({"source": name, "left": done.left, "renamed": done.renamed, "effects": effects}, text=text)


@sources.command("reject")
@click.argument("name", type=SOURCE)
@output_option
def reject(name: str, output: Output) -> None:
    """Reject pending changes: no one leaves, and people who seemed to have a new key are treated as different people.

    \b
    lockstep sources reject hr
    """
    done = run(lambda context: decisions.reject_hold(context, name))
    text = [f"Kept {counted(done.kept, 'object')}. The next import asks again."] if done.kept else []
    text += (
        [
            f"Different people: the next import creates {counted(done.told_apart, 'person')} and removes those with the old keys."
        ]
        if done.told_apart
        else []
    )
    output.one({"source": name, "kept": done.kept, "toldApart": done.told_apart}, text=text)


@sources.command("rename")
@click.argument("name", type=SOURCE)
@click.argument("new_name")
@output_option
def rename(name: str, new_name: str, output: Output) -> None:
    """Rename a source. If NEW_NAME is a registered source without people, that source takes over the people.

    \b
    lockstep sources rename csv hr
    """
    run(lambda context: keys.rename_source(context, name, new_name))
    output.one({"name": new_name, "before": name}, text=f"Source {name} is now called {new_name}.")


@sources.command("remove")
@click.argument("name", type=SOURCE)
@click.option("--with-objects", is_flag=True, help="Also delete its people and groups.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def remove(name: str, with_objects: bool, yes: bool, output: Output) -> None:
    """Remove a source.

    \b
    lockstep sources remove hr
    """
    view = run(lambda context: actions.show_source(context, name))
    question = (
        f"Delete {counted(view.counts['people'], 'person')} and {counted(view.counts['groups'], 'group')} of {name}?"
    )
    removed, effects = run_asked(
        question,
        lambda context: actions.remove_source(context, name, with_objects=with_objects),
        yes=yes or not with_objects,
    )
    output.one({"source": name, "removed": removed, "effects": effects}, text=f"Source {name} was removed.")


def _show(name: str, output: Output) -> SourceView:
    view = run(lambda context: actions.show_source(context, name))
    held = run(lambda context: decisions.who_is_held(context, name)) if view.holds else {}
    row = source_details_json(view, held)
    lines = [
        f"{view.source.name}  {view.source.kind}",
        f"  people   {view.counts['people']:,}",
        f"  groups   {view.counts['groups']:,}",
    ]
    lines += [f"  {file['kind'] or 'file':<8} {safe(file['path'])}" for file in view.source.config.get("files", [])]
    lines += [f"  key      {safe(_key_column(view, key))}  ({kind})" for kind, key in row["keys"].items()]
    lines += _reading_lines(view)
    lines += [f"  waits    {hold.reason}" for hold in view.holds]
    output.one(row, text=lines)
    if view.holds:
        hint(f"Decide: lockstep sources confirm {name}   or   lockstep sources reject {name}")
    return view


def _key_column(view: SourceView, key: str) -> str:
    """Return the name of the key column in the file. If *key* is "id", this is the column that the source's map turns into the key;
    otherwise it is *key* itself.
    """
    mapped = view.source.config.get("map", {}).items()
    return next((column for column, meaning in mapped if key == "id" and "id" in [meaning, *meaning]), key)


def _reading_lines(view: SourceView) -> Iterator[str]:
    if view.read_at:
        yield f"  read     {local_stamp(view.read_at)}{'  failed: ' + safe(view.failure) if view.failure else ''}"
    if view.every and view.next_read_at:
        yield f"  next     {local_stamp(view.next_read_at)}, then every {length_text(view.every)}, while a worker runs"
    elif view.source.config.get("files"):
        yield "  next     manual; --every makes a worker import it"
