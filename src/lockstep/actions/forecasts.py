"""Forecasts that take longer than a page may: a process computes them in the background, and pages show the progress until they are ready.

They are kept in memory only. A page that asks for a forecast of which this process knows nothing begins it again. The event loop cancels
what is running when the process ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

MOST_KEPT = 8
FRESH = timedelta(minutes=5)  # a result that was begun earlier is not shown
Report = Callable[[int, int], None]


@dataclass(slots=True)
class Forecast:
    """A forecast that was begun. *done* of *total* objects are planned; both are 0 until the total is known."""

    began_at: datetime
    done: int = 0
    total: int = 0
    task: asyncio.Task[Any] = field(init=False)

    def report(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    async def is_ready(self, *, within_seconds: float) -> bool:
        """Wait for the result, but no longer than *within_seconds*."""
        await asyncio.wait({self.task}, timeout=within_seconds)
        return self.task.done()


@dataclass(slots=True)
class Forecasts:
    """The forecasts of this process, by who asked and for what: the oldest are dropped when there are more than MOST_KEPT."""

    _kept: dict[tuple[str, str], Forecast] = field(default_factory=dict)

    def join(
        self,
        who: str,
        what: str,
        compute: Callable[[Report], Coroutine[Any, Any, Any]],
        *,
        now: datetime,
        anew: bool = False,
    ) -> Forecast:
        """Return the running or fresh forecast of *what*, or begin one. With *anew*, a finished one is computed again. A forecast that
        failed is returned once, so that its error is shown, and then begun again.
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
    """Mark a failure as handled, although maybe no page asks for the result any more."""
    if not task.cancelled():
        task.exception()
