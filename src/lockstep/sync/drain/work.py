"""The units of work in a drain, and their order: leavers first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from lockstep.engine.decisions.patience import RequestKind
from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.records import Action
from lockstep.storage.dirty import Claim
from lockstep.storage.operations import OpenOperation
from lockstep.sync.planning.planner import PlanResult

T = TypeVar("T")

FEWEST_PER_SENDER = 4
MOST_PER_SENDER = 16
SECONDS_AHEAD = 0.5
MOST_UNRECORDED = 200


@dataclass(frozen=True, slots=True)
class Look:
    """An object that cannot be planned without asking the application: it needs a match, or its account must be read."""

    claim: Claim
    prepared: PreparedObject
    look: bool = False


@dataclass(frozen=True, slots=True)
class Settle:
    """An object with operations whose outcome is unknown. These operations are settled before the object is planned."""

    claim: Claim
    prepared: PreparedObject
    unsettled: tuple[OpenOperation, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """A plan to send. Its journal entry, with the id *operation_id*, is written first."""

    claim: Claim
    planned: PlanResult
    operation_id: str


@dataclass(frozen=True, slots=True)
class Members:
    """A group whose own account is in step and whose members are compared next."""

    claim: Claim
    planned: PlanResult


ClaimWork: TypeAlias = Look | Settle | Write | Members


def asks(work: ClaimWork) -> RequestKind:
    """Return the kind of request that *work* sends to the application."""
    match work:
        case Look() | Settle():
            return RequestKind.GET if work.prepared.is_linked else RequestKind.SEARCH
        case Members():
            return RequestKind.MEMBERS
        case Write():
            return {Action.CREATE: RequestKind.CREATE, Action.DELETE: RequestKind.DELETE}.get(
                work.planned.plan.action, RequestKind.UPDATE
            )


class WorkQueue:
    """The queue that senders take work from: by lane, then in order of arrival."""

    def __init__(self) -> None:
        self._queue: asyncio.PriorityQueue[tuple[int, int, ClaimWork]] = asyncio.PriorityQueue()  # numbers are unique
        self._number = 0
        self._waiting: Counter[int] = Counter()  # by lane

    def put(self, work: ClaimWork) -> None:
        self._number += 1
        self._waiting[work.claim.lane] += 1
        self._queue.put_nowait((work.claim.lane, self._number, work))

    def holds_before(self, lane: int) -> bool:
        """Whether work in an earlier lane than *lane* waits for a sender."""
        return any(waiting < lane for waiting, count in self._waiting.items() if count)

    async def get(self) -> ClaimWork:
        _, _, work = await self._queue.get()
        self._waiting[work.claim.lane] -= 1
        return work

    def __len__(self) -> int:
        return self._queue.qsize()

    def take_next(self, most: int, *, accepts: Callable[[ClaimWork], bool]) -> list[ClaimWork]:
        """Take up to *most* pieces of work from the front of the queue. Stops at the first one that *accepts* refuses; it stays in the
        queue.
        """
        taken: list[ClaimWork] = []
        while len(taken) < most and not self._queue.empty():
            entry = self._queue.get_nowait()
            work = entry[2]
            if not accepts(work):
                self._queue.put_nowait(entry)
                break
            self._waiting[work.claim.lane] -= 1
            taken.append(work)
        return taken


class Ahead:
    """The number of objects that may be claimed in advance: as many as *senders* will probably send within `SECONDS_AHEAD`.

    Every slice costs the same number of statements, whatever its size. A fast application therefore gets large slices. A slow one gets
    small slices, so that a leaver does not wait behind objects that were claimed long before.
    """

    def __init__(self, senders: int) -> None:
        self._senders = senders
        self._seconds = SECONDS_AHEAD / FEWEST_PER_SENDER
        self.most = FEWEST_PER_SENDER * senders

    def note(self, seconds: float) -> None:
        """Record that one write took *seconds*. Newer writes have more weight."""
        self._seconds += (seconds - self._seconds) / (2 * self._senders)
        fitting = int(SECONDS_AHEAD / max(self._seconds, SECONDS_AHEAD / MOST_PER_SENDER))
        self.most = max(FEWEST_PER_SENDER, fitting) * self._senders

    @property
    def smallest_slice(self) -> int:
        """The number of free places that must exist before another slice is claimed. It is half of all places, so that senders have work
        while the slice is planned.
        """
        return self.most // 2

    def room(self, *, undecided: int, in_flight: int) -> int:
        """Return how many more objects may be claimed. Objects that only wait to be recorded occupy no sender, so a separate limit
        applies to them.
        """
        return min(self.most - undecided, self.most + MOST_UNRECORDED - in_flight)


class Batches(Generic[T]):
    """Collects items and returns them in batches of at most *most*.

    A batch waits at most *wait_seconds* for more items, and not at all after `hurry`.
    """

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

    def hurry(self) -> None:
        """Let `take` return the present items without waiting, because no more will come soon."""
        if self._items:
            self._full.set()

    async def take(self) -> list[T]:
        """Return the next batch. Waits until there is at least one item."""
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
