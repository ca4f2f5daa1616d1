"""Forecasts that take too long to be computed while a page loads. A process computes them in the background, and pages show the progress
until the result is ready.

Forecasts are kept in memory only. If a page asks for a forecast that this process does not have, the process begins a new one. When the
process ends, the event loop cancels the running forecasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

MOST_KEPT = 8
FRESH = timedelta(minutes=5)  # a result that was begun earlier is not shown
ReportProgress = Callable[[int, int], None]


@dataclass(slots=True)
class Forecast:
    """A running or finished forecast. *done* is the number of objects planned so far, and *total* the number of all objects to plan. Both
    are 0 until the total is known.
    """

    began_at: datetime
    done: int = 0
    total: int = 0
    task: asyncio.Task[Any] = field(init=False)

    def report(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    async def is_ready(self, *, within_seconds: float) -> bool:
        """Wait for the result, but no longer than *within_seconds*. Returns whether the forecast has ended."""
        await asyncio.wait({self.task}, timeout=within_seconds)
        return self.task.done()


@dataclass(slots=True)
class Forecasts:
    """The forecasts of this process, by caller and subject. If there are more than MOST_KEPT, the oldest are dropped."""

    _kept: dict[tuple[str, str], Forecast] = field(default_factory=dict)

    def join(
        self,
        who: str,
        what: str,
        compute: Callable[[ReportProgress], Coroutine[Any, Any, Any]],
        *,
        now: datetime,
        anew: bool = False,
    ) -> Forecast:
        """Return the running or fresh forecast of *what* for the caller *who*, or begin a new one. With *anew*, do not reuse a finished
        forecast. A forecast that failed is returned once, so that its error is shown, and is not reused afterwards.
        """
        found = self._kept.get((who, what))
        if found is not None and not found.task.done():
            return found
        if found is not None and not found.task.cancelled() and not anew and now - found.began_at <= FRESH:
            if found.task.exception() is not None:
                del self._kept[who, what]
            return found
        begun = Forecast(now)
        begun.task = asyncio.create_task(compute(begun.report), name=f"forecast of {what}")
        begun.task.add_done_callback(_seen)
        self._kept.pop((who, what), None)
        self._kept[who, what] = begun
        while len(self._kept) > MOST_KEPT:
            self._kept.pop(next(iter(self._kept))).task.cancel()
        return begun


def _seen(task: asyncio.Task[Any]) -> None:
    """Retrieve the error of a failed forecast, so that asyncio does not log the error if no page asks for the result."""
    if not task.cancelled():
        task.exception()
