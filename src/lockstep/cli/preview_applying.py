"""`lockstep preview APP --apply ID`: write exactly what a preview shows, and list the objects that were left out because their plan had
changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockstep.actions import applied_previews, following
from lockstep.actions.applied_previews import Cycle, LeftObject
from lockstep.actions.context import Context
from lockstep.actions.rows.previews import ACTIONS, left_json
from lockstep.actions.rows.provisioning import cycle_json
from lockstep.cli.output import Output, hint, safe, with_sign_colour
from lockstep.cli.plans import change_lines
from lockstep.cli.progress import ProgressLine
from lockstep.cli.session import globals_of, run
from lockstep.errors import EXIT_CODES, Kind
from lockstep.wording import counted


def apply_preview(app: str, number: int, output: Output) -> int:
    """Apply the preview and wait for the end of its cycle. Returns the exit code."""

    async def work(context: Context) -> tuple[Cycle, list[LeftObject]]:
        cycle = await applied_previews.apply_preview(context, app, number)
        with ProgressLine(app, is_on=globals_of().shows_progress) as line:
            async for state in following.follow_cycle(context, app, cycle.id):
                cycle = state
                line.show(cycle.done, fraction=cycle.done / cycle.total if cycle.total else None, label=app)
        return cycle, await _left(context, app, number)

    cycle, left = run(work)
    did = ", ".join(f"{count:,} {word}" for word, count in cycle.counts.items() if count and word != "left")
    text = [*_lines(left), f"Preview {number} was applied by cycle {cycle.id}: {did or 'nothing written'}."]
    if cycle.ended_at is None:
        text[-1] = f"Cycle {cycle.id} applies preview {number}. Watch it: lockstep status {app} --watch"
    output.one(cycle_json(cycle) | {"left": [left_json(one) for one in left]}, text=text)
    if left:
        hint(
            f"{counted(len(left), 'object')} changed since the preview, so nothing was written for {'it' if len(left) == 1 else 'them'}. "
            f"The next cycle writes what is still needed. If provisioning is off, start it: lockstep start {app}"
        )
    return EXIT_CODES[Kind.PARTIAL] if left or cycle.counts.get("failed") else 0


def show_left(app: str, number: int, output: Output) -> None:
    """List the objects that were left out, each with the previewed and the new plan."""

    async def read(context: Context) -> list[LeftObject]:
        return await _left(context, app, number)

    left = run(read)
    end = f"{counted(len(left), 'object')} not written when preview {number} was applied."
    output.one({"left": [left_json(one) for one in left]}, text=[*_lines(left), end])


async def _left(context: Context, app: str, number: int) -> list[LeftObject]:
    return [one async for page in applied_previews.pages_of_left(context, app, number) for one in page]


def _lines(left: Sequence[LeftObject]) -> Iterator[str]:
    for one in left:
        sign, word, _ = ACTIONS[one.planned.action]
        was = ACTIONS[one.previewed.action][1].lower() if one.previewed is not None else "not in the preview"
        yield with_sign_colour(safe(f"  {sign} {word.lower():<8} {one.planned.name}   previewed: {was}"))
        yield from map(safe, change_lines([dict(change) for change in one.planned.changes]))
