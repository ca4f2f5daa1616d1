"""The leases of one drain, which are renewed while the work continues. No request is sent that could outlive its lease.

The end of a lease is computed from a monotonic time that is read before the lease is created. The computed end is therefore never later
than the end in the database.
"""

from __future__ import annotations

import asyncio
import time

from lockstep.storage import dirty
from lockstep.sync.services import Services


class Leases:
    """The times at which the leases of this drain's attempts end."""

    def __init__(self, services: Services, job: str, lease_seconds: float) -> None:
        self._services = services
        self._job = job
        self._lease_seconds = lease_seconds
        self._ends: dict[int, float] = {}

    def add(self, attempt: int, *, since: float) -> None:
        self._ends[attempt] = since + self._lease_seconds

    def drop(self, attempt: int) -> None:
        self._ends.pop(attempt, None)

    def seconds_left(self, attempt: int) -> float:
        return self._ends.get(attempt, 0.0) - time.monotonic()

    async def keep(self) -> None:
        """Renew the leases until cancelled. If a lease cannot be renewed, another worker has taken over the object, or the attempt's
        outcome is being recorded.
        """
        while True:
            await asyncio.sleep(self._services.times.lease_renewal_seconds)
            attempts = list(self._ends)
            if not attempts:
                continue
            began = time.monotonic()
            async with self._services.pool.connection() as connection:
                renewed = await dirty.renew(
                    connection, self._job, attempts, owner=self._services.owner, lease_seconds=self._lease_seconds
                )
            for attempt in renewed & self._ends.keys():
                self._ends[attempt] = began + self._lease_seconds
