"""Collect concurrent requests and answer them with one database round trip.

While one batch is running, the next one fills up. The load therefore determines the size of a batch, and no request waits for a timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Collector(Generic[Item, Result]):
    """Collects questions in one queue for each key, and passes them to *run* in batches.

    *run* returns the answers in the order of the questions. If a question failed, its answer is an exception. Up to *lanes* batches of a
    key run at the same time, so that the responses of one batch are written while the database works on another batch.

    Each question weighs 1 unless *weigh* is given. The questions in a batch weigh at most *max_batch* together; a heavier question is sent
    alone.
    """

    def __init__(
        self,
        run: Callable[[Hashable, Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_batch: int = 64,
        lanes: int = 2,
        weigh: Callable[[Item], int] = lambda _: 1,
    ) -> None:
        self._run = run
        self._max_batch = max_batch
        self._lanes = lanes
        self._weigh = weigh
        self._waiting: dict[Hashable, list[tuple[Item, asyncio.Future[Result]]]] = {}
        self._busy: dict[Hashable, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, key: Hashable, question: Item) -> Result:
        """Return the answer to *question*, obtained in one batch with other questions of the same *key*."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append((question, future))
        busy = self._busy.get(key, 0)
        if busy < self._lanes:
            self._busy[key] = busy + 1
            task = asyncio.create_task(self._drain(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _drain(self, key: Hashable) -> None:
        # Yield to the event loop once, so that requests that have already arrived join this batch.
        await asyncio.sleep(0)
        while queue := self._waiting.get(key):
            count = self._fitting(queue)
            batch, queue[:] = queue[:count], queue[count:]
            await self._answer(key, batch)
        self._busy[key] -= 1
        if not self._busy[key]:
            del self._busy[key], self._waiting[key]

    def _fitting(self, queue: Sequence[tuple[Item, asyncio.Future[Result]]]) -> int:
        """Return the number of questions in the next batch: as many as fit into the weight *max_batch*, but at least one."""
        weight = 0
        for count, (question, _) in enumerate(queue):
            weight += self._weigh(question)
            if weight > self._max_batch and count:
                return count
        return len(queue)

    async def _answer(self, key: Hashable, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            answers = await self._run(key, [question for question, _ in batch])
        except Exception as failed:
            answers = [failed] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():  # the client has disconnected
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
