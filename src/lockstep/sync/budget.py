"""The rate budget of an application, shared by all workers on all machines.

A worker leases half a second's worth at a time, so that the row is not asked for every request. Without a rate it costs nothing.
"""

from __future__ import annotations

import asyncio

from lockstep.postgres.pool import Pool
from lockstep.storage import target_state
from lockstep.storage.pipelines import pipelined

LEASED_SECONDS = 0.5
SHORTEST_WAIT_SECONDS = 0.05  # an empty budget is asked again for several requests at once


class Budget:
    """One drain's share."""

    def __init__(self, pool: Pool, job: str, rate: float | None) -> None:
        self._pool = pool
        self._job = job
        self._rate = rate
        self._tokens = 0
        self._lock = asyncio.Lock()

    async def take(self) -> None:
        """Wait until one more request may be sent."""
        if self._rate is None:
            return
        async with self._lock:
            while not self._tokens:
                wanted = max(1, int(self._rate * LEASED_SECONDS))
                async with pipelined(self._pool, is_durable=False) as connection:
                    self._tokens, wait = await target_state.lease_tokens(
                        connection, self._job, rate=self._rate, wanted=wanted
                    )
                if not self._tokens:
                    await asyncio.sleep(max(wait, SHORTEST_WAIT_SECONDS))
            self._tokens -= 1
