"""`lockstep sources import`: import a source or a file into the directory, and report the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from lockstep.actions import sources as actions
from lockstep.actions import uploads
from lockstep.actions.context import Context
from lockstep.actions.rows.records import pass_json
from lockstep.actions.sources import IntakeGuard, IntakeOptions, PassKind, PassResult
from lockstep.cli.output import Output, hint, output_option, safe
from lockstep.cli.page_address import GROUP, SOURCE
from lockstep.cli.session import run
from lockstep.cli.source_options import ReadingOptions, config_from, overlaid, reading_options
from lockstep.errors import EXIT_CODES, Kind
from lockstep.sources.piped import is_piped, regular_file
from lockstep.wording import counted

DEFAULT_SOURCE = "csv"
_SHOWN_BAD_ROWS = 10
_SHOWN_LEAVERS = 10
_NAMED = {
    False: 100,
    True: 100_000,
}  # by is_rehearsal: the most people that the result names; a dry run is meant to show names
_SIGNS = {"created": "+", "restored": "+", "updated": "~", "removed": "-", "missing": "o"}


@click.command("import")
@click.argument("what", metavar="SOURCE|FILE", type=SOURCE)
@click.option("--source", default="", type=SOURCE, help=f"Source of FILE (default: {DEFAULT_SOURCE}).")
@click.option(
    "--kind", type=click.Choice([str(kind) for kind in PassKind]), help="What FILE contains (default: detected)."
)
@click.option("--group", default="", type=GROUP, metavar="NAME", help="FILE lists the members of this group.")
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 100),
    default=10.0,
    show_default=True,
    help="Hold leavers if they exceed this share, in %.",
)
@click.option(
    "--max-drop-count",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Never hold fewer leavers.",
)
@click.option("--dry-run", is_flag=True, help="Show who would join, change and leave.")
@reading_options
@output_option
def import_(
    what: str, source: str, kind: str | None, group: str, max_drop: float, max_drop_count: int,
    dry_run: bool, output: Output, **reading: Any,
) -> None:  # fmt: skip
    """Import a source or a CSV file; - reads stdin. People missing from it leave; if too many would,
    all stay until you confirm. Details: lockstep help csv.

    \b
    lockstep sources import people.csv --map "E-mail=userPrincipalName" --map "Personnel no=id"
    lockstep sources import sales-members.csv --group Sales
    """
    if group and kind not in (None, str(PassKind.MEMBERS)):
        raise click.UsageError(f"--group means that FILE lists members of a group, so it cannot contain {kind}")
    options = IntakeOptions(IntakeGuard(percent=max_drop, least=max_drop_count), most_named=_NAMED[dry_run])
    given = config_from([], ReadingOptions(**reading))

    async def work(context: Context) -> tuple[str, list[PassResult]]:
        known = {view.source.name: view.source for view in await actions.list_sources(context)}
        if what in known and not source and not group:
            config = overlaid(known[what].config, given) if given.keys() - {"files"} else None
            take = actions.rehearse_import if dry_run else actions.import_source
            return what, await take(context, what, config=config, options=options)
        if _looks_like_a_name(what):
            await actions.show_source(context, what)  # raises LockstepError with suggestions if there is none
        name = source or DEFAULT_SOURCE
        with regular_file(what) as path:
            if context.elsewhere is not None:
                upload = await context.elsewhere.upload(name, path)
                file_config = {**given, "kind": kind, "group": group}
                return name, await uploads.take_upload(context, upload, file_config, options=options, rehearses=dry_run)
            file = {"path": str(path.absolute()), "kind": kind} | ({"group": group} if group else {})
            config = {**given, "files": [file]}
            if dry_run:
                return name, await actions.rehearse_import(context, name, config=config, options=options)
            kept = not is_piped(what)
            return name, await actions.import_file(context, name, config, is_kept=kept, options=options)

    name, results = run(work, label="Looking" if dry_run else "Importing", creates=not dry_run)
    text = [_summary(one, is_rehearsal=dry_run) for one in results]
    text += [line for one in results for line in _names(one, everybody=dry_run)]
    output.one({"source": name, "dryRun": dry_run, "passes": [pass_json(one) for one in results]}, text=text)
    _explain(name, results, is_rehearsal=dry_run)
    if dry_run:
        hint("Nothing changed.")
    if code := _exit_code(results):
        raise click.exceptions.Exit(code)


def _looks_like_a_name(what: str) -> bool:
    path = Path(what)
    return not is_piped(what) and not path.suffix and "/" not in what and not path.exists()


def _summary(result: PassResult, *, is_rehearsal: bool) -> str:
    counts = [
        (result.created, "added" if result.kind is PassKind.MEMBERS else "created"), (result.updated, "updated"),
        (result.restored, "restored"), (result.removed, "removed"), (result.unchanged, "unchanged"),
        (len(result.renamings), "with a new key"), (result.awaited, "waiting for people who are not imported yet"),
        (result.bad, "bad row" if result.bad == 1 else "bad rows"),
    ]  # fmt: skip
    done = ", ".join(f"{n:,} {word}" for n, word in counts if n) or "nothing"
    return f"{result.kind:<8} {result.read:>9,} read: {'would be ' if is_rehearsal else ''}{done}"


def _names(result: PassResult, *, everybody: bool) -> Iterator[str]:
    """Yield one line for each object that the import created, changed or removed. If *everybody* is false, yield lines only for removed
    objects, and no lines if there are many.
    """
    left = [one for one in result.movements if one.what == "removed"]
    if not everybody and len(left) > _SHOWN_LEAVERS:
        return
    for one in result.movements if everybody else left:
        name = one.name if one.display == one.name else f"{one.name}  {one.display}"
        changed = f"  ({', '.join(one.changed)})" if one.changed else ""
        yield safe(f"  {_SIGNS[one.what]} {one.what:<9} {name}{changed}")


def _explain(name: str, results: Sequence[PassResult], *, is_rehearsal: bool) -> None:
    """Print problems and warnings of the import to stderr."""
    for result in results:
        for row in result.bad_rows[:_SHOWN_BAD_ROWS]:
            hint(f"  line {row.line}{f', {row.column}' if row.column else ''}: {row.reason}")
        if result.bad > _SHOWN_BAD_ROWS:
            hint(f"  ... and {counted(result.bad - _SHOWN_BAD_ROWS, 'more bad row')} (to list up to 100: -o json)")
        if result.bad:
            hint("  People in bad rows are left unchanged.")
        if result.ignored:
            hint(f"  Ignored columns: {', '.join(result.ignored)}")
        for note in result.notes:
            hint(f"  {note}")
        if result.error:
            hint(f"  {result.error}. Nothing was removed.")
        elif result.unproven:
            hint(f"  Nothing was removed: {result.unproven}.")
        if result.taken_by:
            [other, *_] = sorted(result.taken_by, key=lambda one: -result.taken_by[one])
            hint(f"  If they are the same people: lockstep sources rename {other} {name}, then import again")
        if result.held:
            hint(f"  Nothing was removed: {result.held}.")
        for one in result.renamings[:_SHOWN_BAD_ROWS]:
            hint(
                f"  {one.old_name} is missing and {one.new_name} is new, both with the employee id {one.employee_id}: "
                "neither was removed or created."
            )
        if (result.held or result.renamings) and not is_rehearsal:
            hint(f"  Review and decide: lockstep sources confirm {name}   or   lockstep sources reject {name}")


def _exit_code(results: Sequence[PassResult]) -> int:
    if any(result.held or result.renamings for result in results):
        return EXIT_CODES[Kind.HELD]
    return EXIT_CODES[Kind.PARTIAL] if any(result.bad or result.error for result in results) else 0
