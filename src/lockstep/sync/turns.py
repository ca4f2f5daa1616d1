"""Turns for requests to an application: its request rate, which all workers share, and the pauses that the application asks for.

Every request, including reads and the requests for pages of a list, takes its turn just before it is sent. A pause that another worker has
recorded (a Retry-After, an outage) takes effect here within `FRESH_SECONDS`: if the known state is older, it is read from the database
first. Busy workers read the state anyway when they record outcomes, so this usually costs no extra query.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg
from psycopg_pool import PoolTimeout

from lockstep.postgres.pool import Pool
from lockstep.storage import target_state
from lockstep.storage.pipelines import pipelined
from lockstep.storage.target_state import TargetState

FRESH_SECONDS = 0.05
LEASED_SECONDS = 0.5  # how much of the budget to lease at a time, so that not every request queries the row
SHORTEST_WAIT_SECONDS = 0.05  # so that an empty budget is queried once for several requests
NO_DATABASE_SECONDS = 1.0
DATABASE_LOST = (psycopg.Error, PoolTimeout, OSError)


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock used for taking turns, in seconds. Tests replace it."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class SharedTurns:
    """The turns of one application in one process. *rate* is in requests per second; None means no limit."""

    def __init__(self, pool: Pool, job: str, rate: float | None, clock: Clock | None = None) -> None:
        self.rate = rate
        self._clock = clock or Clock()
        self._pool = pool
        self._job = job
        self._tokens = 0  # below zero if more requests were sent than leased; the waiting requests lease the difference
        self._waited = 0  # turns that were granted by `wait` and not used yet
        self._paying = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._quiet_until = 0.0
        self._read_at = float("-inf")

    @property
    def quiet_seconds(self) -> float:
        """The number of seconds during which no request may be sent, as far as this process knows."""
        return max(0.0, self._quiet_until - self._clock.now())

    def be_quiet(self, seconds: float) -> None:
        self._quiet_until = max(self._quiet_until, self._clock.now() + seconds)

    def learn(self, state: TargetState, asked_at: float) -> None:
        """Adopt *state*, read from the database. *asked_at* is monotonic time, read before the query."""
        self._read_at = max(self._read_at, asked_at)
        if state.seconds_to_wait:
            self.be_quiet(state.seconds_to_wait)

    def forget(self) -> None:
        """End the pause, because the application works again."""
        self._quiet_until = 0.0

    async def wait(self) -> None:
        """Wait until the rate allows one more request. Sends nothing. A pause may have begun in the meantime, so `spend` still has to
        permit the request.
        """
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
                    await self._clock.sleep(max(seconds, SHORTEST_WAIT_SECONDS))
            self._tokens -= 1
            self._waited += 1

    async def spend(self) -> float:
        """Count a request that is sent now, and return 0. During a pause, return the remaining seconds and count nothing."""
        if self._clock.now() - self._read_at > FRESH_SECONDS:
            await self._refresh()
        if (quiet := self.quiet_seconds) > 0:
            return quiet
        if self._waited:
            self._waited -= 1
        else:
            self._tokens -= 1  # an object sent more requests than it had turns, so the next one waits longer
        return 0.0

    async def _refresh(self) -> None:
        """Read the state of the application, once for all callers that need it at the same time."""
        async with self._reading:
            asked_at = self._clock.now()
            if asked_at - self._read_at <= FRESH_SECONDS:
                return
            try:
                async with self._pool.connection() as connection:
                    state = await target_state.read_state(connection, self._job)
            except DATABASE_LOST:
                self.be_quiet(NO_DATABASE_SECONDS)  # a request that could not be recorded is not sent
                return
            self.learn(state, asked_at)
