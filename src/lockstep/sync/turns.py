"""Whose turn it is to send a request to an application: its rate, shared by all workers, and its requests to wait.

Every request takes its turn where it leaves the house, reads and pages included. What another worker learned (a Retry-After, an
outage) holds here within `FRESH_SECONDS`: what the database says is read again before a request that would rest on older news. Busy
workers read it anyway with what they record, so that a request costs nothing extra.
"""

from __future__ import annotations

import asyncio
import time

import psycopg
from psycopg_pool import PoolTimeout

from lockstep.postgres.pool import Pool
from lockstep.storage import target_state
from lockstep.storage.pipelines import pipelined
from lockstep.storage.target_state import TargetState

FRESH_SECONDS = 0.05
LEASED_SECONDS = 0.5  # of the rate are leased at a time, so that the row is not asked for every request
SHORTEST_WAIT_SECONDS = 0.05  # an empty budget is asked again for several requests at once
NO_DATABASE_SECONDS = 1.0
DATABASE_LOST = (psycopg.Error, PoolTimeout, OSError)


class SharedTurns:
    """One process's view of one application. *rate*: requests per second, None for as many as it takes."""

    def __init__(self, pool: Pool, job: str, rate: float | None) -> None:
        self.rate = rate
        self._pool = pool
        self._job = job
        self._tokens = 0  # below zero: sent already, and paid for by those who wait
        self._waited = 0  # turns that were waited for, and whose request has not gone out yet
        self._paying = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._quiet_until = 0.0
        self._read_at = float("-inf")

    @property
    def quiet_seconds(self) -> float:
        """How long nothing may be sent, as far as is known here."""
        return max(0.0, self._quiet_until - time.monotonic())

    def be_quiet(self, seconds: float) -> None:
        self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)

    def learn(self, state: TargetState, *, asked_at: float) -> None:
        """Take over what the database says; *asked_at* is monotonic, from before it was asked."""
        self._read_at = max(self._read_at, asked_at)
        if state.seconds_to_wait:
            self.be_quiet(state.seconds_to_wait)

    def forget(self) -> None:
        """Forget the pause: the application was reported to work again."""
        self._quiet_until = 0.0

    async def wait(self) -> None:
        """Wait until the rate has room for one more request. This sends nothing: after the wait, sending may no longer be allowed."""
        if self.rate is None:
            return
        async with self._paying:
            while self._tokens < 1:
                wanted = max(1, int(self.rate * LEASED_SECONDS)) + max(0, -self._tokens)
                async with pipelined(self._pool, is_durable=False) as connection:
                    granted, seconds = await target_state.lease_tokens(
                        connection, self._job, rate=self.rate, wanted=wanted
                    )
                self._tokens += granted
                if self._tokens < 1:
                    await asyncio.sleep(max(seconds, SHORTEST_WAIT_SECONDS))
            self._tokens -= 1
            self._waited += 1

    async def spend(self) -> float:
        """Count a request that goes out now; returns 0, or for how many seconds it must not go out (then it is not counted)."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            await self._refresh()
        if (quiet := self.quiet_seconds) > 0:
            return quiet
        if self._waited:
            self._waited -= 1
        else:
            self._tokens -= 1  # an object that needs several requests: the next one waits for them
        return 0.0

    async def _refresh(self) -> None:
        """Read how the application stands, once for all who ask at the same time."""
        async with self._reading:
            asked_at = time.monotonic()
            if asked_at - self._read_at <= FRESH_SECONDS:
                return
            try:
                async with self._pool.connection() as connection:
                    state = await target_state.read_state(connection, self._job)
            except DATABASE_LOST:
                self.be_quiet(NO_DATABASE_SECONDS)  # what cannot be recorded is not sent
                return
            self.learn(state, asked_at=asked_at)
