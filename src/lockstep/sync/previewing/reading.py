"""Read the application for a preview at the rate that all workers share, and wait if the application is busy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from lockstep.engine.records import Account, ObjectKind
from lockstep.ports import TargetError, TargetPage, TargetReader, Verdict
from lockstep.sync.services import Services
from lockstep.sync.turns import SharedTurns

LONGEST_WAIT_SECONDS = 60.0
MOST_WAITS = 10  # one after the other; then the preview fails
_FIRST_WAIT_SECONDS = 1.0
Result = TypeVar("Result")


class PacedReader:
    """Reads an application. *requests* counts what was sent."""

    def __init__(self, services: Services, reader: TargetReader, turns: SharedTurns) -> None:
        self._clock = services.clock
        self._reader = reader
        self._turns = turns
        self.requests = 0

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        return await self._patiently(lambda: self._reader.find(kind, attribute, value))

    async def get(self, kind: ObjectKind, target_id: str) -> Account | None:
        return await self._patiently(lambda: self._reader.get(kind, target_id))

    async def pages(self, kind: ObjectKind) -> AsyncIterator[TargetPage]:
        """Yield all accounts, page by page. Raises TargetError if the application is busy; the caller then has to begin again at the first
        page.
        """
        await self._turns.wait()
        async for page in self._reader.pages(kind):
            self.requests += 1
            yield page
            if not page.is_last:
                await self._turns.wait()

    async def rest(self, busy: TargetError, *, time: int) -> None:
        """Wait because the application is busy. If the application does not say how long to wait, the pause doubles with each earlier wait.
        *time* is the number of earlier waits. No pause is longer than `LONGEST_WAIT_SECONDS`.

        Raises the error *busy* again after too many waits, or if the error has another cause.
        """
        if busy.answer.verdict is not Verdict.THROTTLED or time >= MOST_WAITS:
            raise busy
        asked = busy.answer.wait.total_seconds() if busy.answer.wait is not None else _FIRST_WAIT_SECONDS * 2**time
        await self._clock.sleep(min(asked, LONGEST_WAIT_SECONDS))

    async def _patiently(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        time = 0
        while True:
            await self._turns.wait()
            self.requests += 1
            try:
                return await ask()
            except TargetError as failed:
                await self.rest(failed, time=time)
                time += 1
