"""`lockstep preview`: what provisioning would do to everyone in an application. Only `--apply` writes.

Without a running worker, the command makes the preview itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from lockstep.actions import job_previews
from lockstep.actions.context import Context
from lockstep.actions.job_previews import EVERYTHING, PreviewedObject, PreviewFilter, PreviewRow, PreviewState
from lockstep.actions.rows.previews import (
    ACTIONS,
    CSV_HEADER,
    csv_lines,
    markdown_head,
    markdown_line,
    object_json,
    preview_json,
    summary_of,
)
from lockstep.cli.application_argument import app_argument
from lockstep.cli.config import CHANGES_PRESENT, exitcode_option
from lockstep.cli.output import Column, Output, hint, output_option, safe, with_sign_colour
from lockstep.cli.plans import change_lines
from lockstep.cli.preview_applying import apply_preview, show_left
from lockstep.cli.progress import ProgressLine
from lockstep.cli.session import globals_of, run
from lockstep.cli.times import local_time
from lockstep.errors import Kind, LockstepError, conflict, not_found
from lockstep.wording import counted

_COLUMNS = [Column("id", "Preview"), Column("createdDateTime", "Begun", show=local_time), Column("state", "State"),
            Column("startedBy", "By"), Column("done", "Objects"), Column("summary", "Result")]  # fmt: skip
_CSV = [Column(key, key) for key in CSV_HEADER]
_QUIET = frozenset({"none", "skip"})  # listed only with -o wide or --only
_CHANGED = "changed"
_DRIFT = "drift"
_FIRST = 20  # objects in the text output


@click.command("preview")
@app_argument
@click.option("--last", is_flag=True, help="Show the newest preview again.")
@click.option("--list", "lists", is_flag=True, help="List the kept previews.")
@click.option("--stop", is_flag=True, help="Stop the preview that is being made.")
@click.option("--apply", "applies", type=int, metavar="ID", help="Apply preview ID: write what it shows.")
@click.option("--left", "left_of", type=int, metavar="ID", help="List what applying preview ID did not write.")
@click.option(
    "--only",
    type=click.Choice([*ACTIONS, "held", _CHANGED, _DRIFT]),
    help="changed: a new plan; drift: not corrected.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=_FIRST,
    show_default=True,
    help="Number of objects in the text output (0 = all).",
)
@exitcode_option
@output_option
def preview(
    app: str,
    last: bool,
    lists: bool,
    stop: bool,
    applies: int | None,
    left_of: int | None,
    only: str | None,
    limit: int,
    detailed_exitcode: bool,
    output: Output,
) -> int | None:
    """Show what provisioning would do to everyone; --apply writes exactly that.

    The text output lists the first objects, losses of access at the top, and counts the objects for each action. JSON, CSV and Markdown
    list all objects.

    \b
    lockstep preview documo
    lockstep preview documo --only disable -o csv
    lockstep preview documo --apply 57
    """
    if lists + last + stop + (applies is not None) + (left_of is not None) > 1:
        raise click.UsageError("Use only one of --last, --list, --stop, --apply and --left")
    if only is not None and (applies is not None or left_of is not None):
        raise click.UsageError("--only selects what is shown of a preview. Use it without --apply and --left")
    if applies is not None:
        return apply_preview(app, applies, output)
    if left_of is not None:
        show_left(app, left_of, output)
    elif lists:
        _list(app, output)
    elif stop:
        row = run(lambda context: _stop(context, app))
        hint(f"Preview {row.id} was stopped. Nothing was written.")
    else:
        _preview(app, only, limit, output, is_last=last, detailed_exitcode=detailed_exitcode)
    return None


def preview_first(app: str, output: Output) -> PreviewRow:
    """Make a preview before something is done, and print its first objects if *output* is text. Raises LockstepError unless the preview is
    complete.
    """
    is_text = _is_text(output)
    row, objects = run(lambda context: _shown(context, app, None, _FIRST if is_text else 0, is_last=False))
    if row.state != PreviewState.DONE:
        raise conflict(
            f"Preview {row.id} of {app} is {row.state}. Nothing was changed",
            next_step=f"Make another preview: lockstep preview {app}",
        )
    if is_text:
        for line in _lines(row, objects, lists_quiet=False):
            click.echo(line)
        _tell_rest(row, objects, None, lists_quiet=False)
    return row


def _preview(app: str, only: str | None, limit: int, output: Output, *, is_last: bool, detailed_exitcode: bool) -> None:
    most = limit if limit and _is_text(output) else None
    row, objects = run(lambda context: _shown(context, app, only, most, is_last=is_last))
    lists_quiet = output.form == "wide" or only is not None
    _show(app, row, objects, output, lists_quiet=lists_quiet)
    if most is not None:
        _tell_rest(row, objects, only, lists_quiet=lists_quiet)
    if row.is_stale:
        hint("The configuration was changed since this preview was made.")
    if row.difference and row.difference["changed"] and only != _CHANGED:
        changed, earlier = row.difference["changed"], row.difference["earlier"]
        hint(
            f"{counted(changed, 'object')} {'is' if changed == 1 else 'are'} planned differently than in preview {earlier}. "
            f"See: lockstep preview {app} --last --only {_CHANGED}"
        )
    if detailed_exitcode and row.writes:
        raise click.exceptions.Exit(CHANGES_PRESENT)


async def _shown(
    context: Context, app: str, only: str | None, most: int | None, *, is_last: bool
) -> tuple[PreviewRow, list[PreviewedObject]]:
    """Return the preview and its objects, but no more than *most* objects. If *is_last* is false, a new preview is made first. If the
    preview failed, its error is raised.
    """
    if is_last:
        row = await _newest(context, app)
    else:
        row = await job_previews.begin_preview(context, app)
        with ProgressLine(app, is_on=globals_of().shows_progress) as line:
            async for state in job_previews.follow_preview(context, app, row.id):
                row = state
                fraction = row.done / row.total if row.total else None
                line.show(row.done, fraction=fraction, label=f"{app} {row.phase or row.state}")
    if row.state == PreviewState.FAILED:
        raise _failure(row)
    wanted = _filter(app, row, only)
    objects: list[PreviewedObject] = []
    if not row.is_under_way:
        async for page in job_previews.pages_of_objects(context, app, row.id, wanted):
            objects += page
            if most is not None and len(objects) >= most:
                break
    return row, objects[:most]


def _filter(app: str, row: PreviewRow, only: str | None) -> PreviewFilter:
    if only == _DRIFT:
        return PreviewFilter(effect=_DRIFT)
    if only != _CHANGED:
        return PreviewFilter(action=only) if only else EVERYTHING
    command = f"lockstep preview {app} --only {_CHANGED}"
    if row.is_under_way:
        raise conflict(
            f"Preview {row.id} of {app} is still being made", next_step=f"When it is complete, run: {command} --last"
        )
    if row.state == PreviewState.STOPPED:
        raise conflict(
            f"Preview {row.id} of {app} was stopped, and only complete previews are compared",
            next_step=f"Make another preview: {command}",
        )
    if row.difference is None:
        raise not_found(
            f"Preview {row.id} of {app} has nothing to compare with: no earlier preview was completed, or the earlier one has been deleted",
            next_step=f"Make another preview, which will be compared with this one: {command}",
        )
    return PreviewFilter(differs_from=row.difference["earlier"])


def _is_text(output: Output) -> bool:
    return output.form in ("table", "wide") and not output.quiet and not output.query


def _tell_rest(row: PreviewRow, objects: Sequence[PreviewedObject], only: str | None, *, lists_quiet: bool) -> None:
    """Print a hint if the text output does not list all objects. Objects that need no write are expected in the list only if *lists_quiet*
    is true.
    """
    listed = sum(lists_quiet or one.action not in _QUIET for one in objects)
    if only == _CHANGED:
        total = row.difference["changed"] if row.difference else listed
    else:
        actions = [only] if only else [one for one in ACTIONS if lists_quiet or one not in _QUIET]
        total = sum(row.counts.get(one, 0) for one in actions)
    if listed < total:
        hint(
            f"Listed: {listed:,} of {counted(total, 'object')}, losses of access first. List all: --limit 0, -o csv or -o json"
        )


async def _newest(context: Context, app: str) -> PreviewRow:
    found = await job_previews.list_previews(context, app, limit=1)
    if not found:
        raise not_found(f"{app} has no preview", next_step=f"Make one: lockstep preview {app}")
    return found[0]


async def _stop(context: Context, app: str) -> PreviewRow:
    return await job_previews.stop_preview(context, app, (await _newest(context, app)).id)


def _list(app: str, output: Output) -> None:
    found = run(lambda context: job_previews.list_previews(context, app))
    rows = [{**preview_json(app, row), "summary": summary_of(row)} for row in found]
    output.many(rows, _COLUMNS, name="id", empty=f"No previews. Make one: lockstep preview {app}")


def _show(app: str, row: PreviewRow, objects: Sequence[PreviewedObject], output: Output, *, lists_quiet: bool) -> None:
    if output.form == "csv":
        lines = [dict(zip(CSV_HEADER, line, strict=True)) for one in objects for line in csv_lines(one)]
        output.many(lines, _CSV)
    elif output.form == "markdown":
        for line in markdown_head(app, row):
            click.echo(line)
        for one in objects:
            click.echo(markdown_line(one))
    elif output.quiet or output.form in ("jsonl", "name"):
        output.many([{**object_json(one)} for one in objects], ())
    else:
        document: dict[str, Any] = {**preview_json(app, row), "objects": [object_json(one) for one in objects]}
        output.one(document, text=list(_lines(row, objects, lists_quiet=lists_quiet)))


def _lines(row: PreviewRow, objects: Sequence[PreviewedObject], *, lists_quiet: bool) -> Iterator[str]:
    for one in objects:
        if one.action in _QUIET and not lists_quiet:
            continue
        sign, word, _ = ACTIONS[one.action]
        held = "  (held for approval)" if one.is_held else ""
        yield with_sign_colour(safe(f"  {sign} {word.lower():<8} {one.name}{held}   {one.reason}"))
        yield from map(safe, change_lines([dict(change) for change in one.changes]))
        if one.next_step and one.action == "refuse":
            yield safe(f"      {one.next_step}")
    yield ""
    yield f"Preview {row.id}: {summary_of(row)}. Nothing was written."
    yield from (safe(f"{'! ' if risk['isHigh'] else ''}{risk['text']}") for risk in row.risks)
    if row.state != PreviewState.DONE:
        yield f"The preview is {row.state}: {row.done:,} of {counted(row.total, 'object')} are planned."


def _failure(row: PreviewRow) -> LockstepError:
    error = row.error or {}
    return LockstepError(
        Kind(error.get("kind", Kind.INTERNAL)),
        str(error.get("detail") or "The process that made the preview ended several times"),
        next_step=str(error.get("nextStep") or "Make it again, and look at the log of the worker"),
        code=str(error.get("code", "")),
    )
