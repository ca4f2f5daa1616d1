"""`lockstep sources import`: read a source, or a file, into the directory, and say what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from lockstep.actions import sources as actions
from lockstep.actions.context import Context
from lockstep.actions.sources import counts_of
from lockstep.cli.output import Output, hint, output_option
from lockstep.cli.session import run
from lockstep.cli.source_options import ReadingOptions, config_from, overlaid, reading_options
from lockstep.directory.intake import Guard, IntakeOptions
from lockstep.directory.rows import PassKind, PassResult
from lockstep.errors import EXIT_CODES, Kind
from lockstep.sources.piped import is_piped, regular_file

DEFAULT_SOURCE = "csv"
_SHOWN_BAD_ROWS = 10


@click.command("import")
@click.argument("what", metavar="SOURCE|FILE")
@click.option("--source", default="", help=f"The source that FILE belongs to (default: {DEFAULT_SOURCE}).")
@click.option(
    "--kind", type=click.Choice([str(kind) for kind in PassKind]), help="What FILE holds; detected by default."
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
    help="Always allow fewer leavers than this.",
)
@reading_options
@output_option
def import_(
    what: str, source: str, kind: str | None, group: str, max_drop: float, max_drop_count: int,
    output: Output, **reading: Any,
) -> None:  # fmt: skip
    """Read a source, or a CSV file, into the directory; - is standard input.

    Those who are no longer in a whole file leave. If too many would leave at once, all stay until you confirm.

    \b
    lockstep sources import hr
    lockstep sources import people.csv --map "E-mail=userPrincipalName" --map "Personnel no=id"
    lockstep sources import sales-members.csv --group Sales
    """
    if group and kind not in (None, str(PassKind.MEMBERS)):
        raise click.UsageError(f"--group names whose members FILE lists, so it cannot hold {kind}")
    options = IntakeOptions(Guard(percent=max_drop, least=max_drop_count))
    given = config_from([], ReadingOptions(**reading))

    async def work(context: Context) -> tuple[str, list[PassResult]]:
        known = {view.source.name: view.source for view in await actions.list_sources(context)}
        if what in known and not source and not group:
            config = overlaid(known[what].config, given)
            return what, await actions.import_source(context, what, config=config, options=options)
        if _looks_like_a_name(what):
            await actions.show_source(context, what)  # there is none: says so, with what was probably meant
        name = source or DEFAULT_SOURCE
        with regular_file(what) as path:
            file = {"path": str(path.absolute()), "kind": kind} | ({"group": group} if group else {})
            config = {**given, "files": [file]}
            if name not in known:
                await actions.save_source(context, name, kind="csv", config=config, is_kept=not is_piped(what))
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


def _looks_like_a_name(what: str) -> bool:
    path = Path(what)
    return not is_piped(what) and not path.suffix and "/" not in what and not path.exists()


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
            hint(f"  Ignored columns: {', '.join(result.ignored)}")
        for note in result.notes:
            hint(f"  {note}")
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
