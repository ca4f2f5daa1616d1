"""Limit the number of searches that each account runs at once, so that one account's searches leave connections for all others.

A search is admitted before it takes a connection, because its cost is known only afterwards. A waiting search counts against the limit of
its own account only. Places that become free go to the accounts in turn.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from documo.scim_service.request.failures import Throttled
from documo.search_limits import SearchLimits

KEPT_FREE = 3  # connections reserved for everything else


class SearchGate:
    """Admits searches. The number of places is *connections* (the size of the pool) minus KEPT_FREE, but at least one.

    If there are several places, no account can occupy all of them, even if *limits* would allow that.
    """

    def __init__(self, connections: int, limits: SearchLimits) -> None:
        self._free = max(1, connections - KEPT_FREE)
        self._at_once = min(limits.at_once, max(1, self._free - 1))
        self._limits = limits
        self._running: dict[int, int] = {}
        self._queues: OrderedDict[int, deque[asyncio.Future[None]]] = OrderedDict()  # the next account comes first

    @asynccontextmanager
    async def place(self, tenant_id: int) -> AsyncIterator[None]:
        """Occupy one of the account's places during the block. Raises Throttled if too many searches wait or the wait is too long."""
        if self._may_run(tenant_id):
            self._take(tenant_id)
        else:
            await self._wait(tenant_id)
        try:
            yield
        finally:
            self._leave(tenant_id)

    def waiting(self, tenant_id: int) -> int:
        """Return how many of the account's searches are waiting."""
        return sum(not turn.done() for turn in self._queues.get(tenant_id, ()))

    def running(self, tenant_id: int) -> int:
        """Return how many of the account's searches are running."""
        return self._running.get(tenant_id, 0)

    def load(self) -> tuple[int, int]:
        """Return the total numbers of running and waiting searches, over all accounts."""
        return sum(self._running.values()), sum(self.waiting(tenant_id) for tenant_id in self._queues)

    async def _wait(self, tenant_id: int) -> None:
        if self.waiting(tenant_id) >= self._limits.waiting:
            raise self._throttled()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(tenant_id, deque()).append(turn)
        try:
            async with asyncio.timeout(self._limits.patience_seconds):
                await turn
        except BaseException as ended:
            if turn.done() and not turn.cancelled():  # the place was granted at the same moment
                self._leave(tenant_id)
            else:
                self._forget(tenant_id, turn)
            if isinstance(ended, TimeoutError):
                raise self._throttled() from None
            raise

    def _may_run(self, tenant_id: int) -> bool:
        return self._free > 0 and self.running(tenant_id) < self._at_once

    def _take(self, tenant_id: int) -> None:
        self._free -= 1
        self._running[tenant_id] = self.running(tenant_id) + 1

    def _leave(self, tenant_id: int) -> None:
        self._free += 1
        self._running[tenant_id] -= 1
        if not self._running[tenant_id]:
            del self._running[tenant_id]
        self._admit()

    def _admit(self) -> None:
        """Admit waiting searches while there are free places, taking the accounts in turn. Within an account, the search that has waited
        longest is admitted first.
        """
        while (tenant_id := next((one for one in self._queues if self._may_run(one)), None)) is not None:
            queue = self._queues.pop(tenant_id)
            turn = queue.popleft()
            if queue:
                self._queues[tenant_id] = queue  # to the end of the queue
            if not turn.done():
                self._take(tenant_id)
                turn.set_result(None)

    def _forget(self, tenant_id: int, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(tenant_id)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[tenant_id]

    def _throttled(self) -> Throttled:
        return Throttled("This account has too many searches running or waiting", self._limits.milliseconds / 1000)
