"""Show the effects of a change on accounts. If computing the effects takes long, show the progress of the computation until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import Consequences, foresee
from lockstep.actions.context import Context
from lockstep.actions.forecasts import Forecast, ReportProgress

SOON_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ForeseenLines:
    """The effects of a change on accounts, as *lines*. *lines* is None until the effects are known. Until then, *done* is the number of
    objects planned so far. *total* is the number of all objects to plan, or 0 until it is known.

    *is_first* is true on the page that begins the computation. That page asks for the progress at once.
    """

    lines: list[str] | None = None
    done: int = 0
    total: int = 0
    is_first: bool = False


def begin(context: Context, what: str, work: Callable[[Context], Awaitable[object]]) -> ForeseenLines:
    """Begin to compute the effects of *work*, for a page that is shown for the first time."""
    _joined(context, what, work, anew=True)
    return ForeseenLines(is_first=True)


async def so_far(context: Context, what: str, work: Callable[[Context], Awaitable[object]]) -> ForeseenLines:
    """Return the effects of *work* if they are known soon, otherwise the progress. Raises the errors of *work*."""
    forecast = _joined(context, what, work)
    if await forecast.is_ready(within_seconds=SOON_SECONDS):
        return ForeseenLines(consequence_lines(await forecast.task))
    return ForeseenLines(None, forecast.done, forecast.total)


async def at_last(context: Context, what: str, work: Callable[[Context], Awaitable[object]]) -> ForeseenLines:
    """Wait for the effects of *work* and return them. Raises the errors of *work*."""
    found = await asyncio.shield(_joined(context, what, work).task)  # others may wait for the same task
    return ForeseenLines(consequence_lines(found))


def _joined(
    context: Context, what: str, work: Callable[[Context], Awaitable[object]], *, anew: bool = False
) -> Forecast:
    async def compute(report: ReportProgress) -> list[Consequences]:
        return await foresee(context, work, report=report)

    return context.forecasts.join(context.actor.name, what, compute, now=context.now(), anew=anew)
