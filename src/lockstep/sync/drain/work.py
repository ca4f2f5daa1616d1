"""The units of work in a drain and their order: leavers first."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from lockstep.engine.decisions.patience import Asked
from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.records import Action
from lockstep.storage.dirty import Claim
from lockstep.storage.operations import OpenOperation
from lockstep.sync.planning.planner import PlanResult

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """An object whose plan needs the application: for a match or a fresh read."""

    claim: Claim
    prepared: PreparedObject
    look: bool = False


@dataclass(frozen=True, slots=True)
class Settle:
    """An object with operations whose outcome is unknown: they are settled before the object is planned."""

    claim: Claim
    prepared: PreparedObject
    unsettled: tuple[OpenOperation, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """A plan that is sent after it is journalled under *operation_id*."""

    claim: Claim
    planned: PlanResult
    operation_id: str


@dataclass(frozen=True, slots=True)
class Members:
    """A group that is in step itself and whose members are compared next."""

    claim: Claim
    planned: PlanResult


Work: TypeAlias = Look | Settle | Write | Members


def asks(work: Work) -> Asked:
    """Which kind of request *work* sends to the application."""
    match work:
        case Look() | Settle():
            return Asked.GET if work.prepared.is_linked else Asked.SEARCH
        case Members():
            return Asked.MEMBERS
        case Write():
            return {Action.CREATE: Asked.CREATE, Action.DELETE: Asked.DELETE}.get(
                work.planned.plan.action, Asked.UPDATE
            )


@dataclass(order=True, slots=True)
class _Queued:
    lane: int
    number: int
    work: Work = field(compare=False)


class WorkQueue:
    """The queue that senders take work from: by lane, then in order of arrival."""

    def __init__(self) -> None:
        self._queue: asyncio.PriorityQueue[_Queued] = asyncio.PriorityQueue()
        self._number = 0
        self._waiting: Counter[int] = Counter()  # by lane

    def put(self, work: Work) -> None:
        self._number += 1
        self._waiting[work.claim.lane] += 1
        self._queue.put_nowait(_Queued(work.claim.lane, self._number, work))

    def holds_before(self, lane: int) -> bool:
        """Whether work in an earlier lane than *lane* waits for a sender."""
        return any(waiting < lane for waiting, count in self._waiting.items() if count)

    async def get(self) -> Work:
        work = (await self._queue.get()).work
        self._waiting[work.claim.lane] -= 1
        return work


class Batches(Generic[T]):
    """Collects items and returns them in batches of at most *most*, without waiting longer than *wait_seconds* for more."""

    def __init__(self, *, most: int, wait_seconds: float) -> None:
        self._items: list[T] = []
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._most = most
        self._wait_seconds = wait_seconds

    def put(self, item: T) -> None:
        self._items.append(item)
        self._arrived.set()
        if len(self._items) >= self._most:
            self._full.set()

    async def take(self) -> list[T]:
        """The next batch; waits until there is at least one item."""
        await self._arrived.wait()
        if self._wait_seconds and len(self._items) < self._most:
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await self._full.wait()
            except TimeoutError:
                pass
        batch, self._items = self._items[: self._most], self._items[self._most :]
        if not self._items:
            self._arrived.clear()
        if len(self._items) < self._most:
            self._full.clear()
        return batch
