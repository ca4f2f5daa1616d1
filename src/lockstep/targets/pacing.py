"""Limit requests to what an application can take: requests per second, concurrent requests, and the pauses that it asks for.

No caller sleeps during a long pause. If the turn would come too late, nothing is sent, and the exception says when to try again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_PAUSE = timedelta(hours=24)
SLOWEST_RATE = 0.2
BURST_SECONDS = 0.5  # so that many workers do not send at the same moment
FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 60.0
RECOVERY_PER_SECOND = 0.02  # as a share of the ceiling
FREE_AGAIN_FACTOR = 4.0  # if no rate is configured, the limit ends at this multiple of the refused rate


class TooSoon(Exception):
    """Raised if the next turn is *wait_seconds* away, which is longer than the caller would wait. Nothing was sent."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(f"not before {wait_seconds:.1f} seconds")
        self.wait_seconds = wait_seconds


class Bucket:
    """The arithmetic of a token bucket. Every method takes the monotonic time in seconds.

    If *rate* is None, the rate is unlimited until the application refuses a request because of its load.
    """

    def __init__(self, rate: float | None, *, now: float) -> None:
        self.ceiling = rate
        self.rate = rate
        self.paused_until = 0.0
        self._due_at = now  # when the next evenly spaced turn is due
        self._grown_at = now
        self._refusals = 0
        self._window_at = now
        self._window_count = 0
        self._seen_rate = 0.0

    def reserve(self, now: float, *, longest_wait: float) -> float:
        """Take one turn and return the seconds to wait for it. Raises TooSoon if the wait exceeds *longest_wait*."""
        wait = self.pause_left(now)
        self._recover(now)
        if self.rate is not None:
            wait = max(wait, self._due_at - BURST_SECONDS - now)
        if wait > longest_wait:
            raise TooSoon(wait)
        if self.rate is not None:
            self._due_at = max(self._due_at, now + wait) + 1 / self.rate
        self._count(now)
        return wait

    def pause_left(self, now: float) -> float:
        """The remaining seconds of the pause after a refusal; 0 if there is none."""
        return max(0.0, self.paused_until - now)

    def refused(self, now: float, *, retry_after: float | None) -> float:
        """Note that the application refused a request because of its load: halve the rate and begin a pause. Return the seconds until the
        pause ends.

        During a pause, further refusals do not halve the rate again.
        """
        self._refusals += 1
        if now >= self.paused_until:  # count one refusal, even if many concurrent requests were refused
            seen = self._seen_rate or max(1.0, float(self._window_count))
            self.rate = max(SLOWEST_RATE, (self.rate if self.rate is not None else seen) / 2)
            self._grown_at = self._due_at = now
        pause = retry_after
        if pause is None:
            pause = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(10, self._refusals - 1))
        pause = min(pause, LONGEST_PAUSE.total_seconds())
        self.paused_until = max(self.paused_until, now + pause)
        return self.paused_until - now

    def accepted(self) -> None:
        """Note that the application accepted a request. The pause after the next refusal is then short again."""
        self._refusals = 0

    def _recover(self, now: float) -> None:
        if self.rate is None or (self.ceiling is not None and self.rate >= self.ceiling):
            return
        top = self.ceiling if self.ceiling is not None else max(self._seen_rate, self.rate) * FREE_AGAIN_FACTOR
        grown = self.rate + max(top * RECOVERY_PER_SECOND, 0.05) * max(0.0, now - self._grown_at)
        self._grown_at = now
        self.rate = min(grown, top)
        if self.ceiling is None and self.rate >= top:
            self.rate = None

    def _count(self, now: float) -> None:
        self._window_count += 1
        if now - self._window_at >= 1:
            self._seen_rate = self._window_count / (now - self._window_at)
            self._window_at, self._window_count = now, 0


class Pace:
    """The rate limit and the limit of concurrent requests of one application. All requests of this process share them."""

    def __init__(
        self, requests_per_second: float | None, concurrency: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._bucket = Bucket(requests_per_second, now=clock())
        self._slots = asyncio.Semaphore(max(1, concurrency))

    @asynccontextmanager
    async def turn(self, *, longest_wait: float) -> AsyncIterator[None]:
        """Wait for a turn, and keep it while the caller sends the request. Raises TooSoon if the wait would be longer than *longest_wait*
        seconds.
        """
        async with self._slots:
            wait = self._bucket.reserve(self._clock(), longest_wait=longest_wait)
            while wait > 0:
                await asyncio.sleep(wait)
                # Another request may have been refused in the meantime. Nothing may be sent during the pause that follows.
                wait = self._bucket.pause_left(self._clock())
                if wait > longest_wait:
                    raise TooSoon(wait)
            yield

    def slow_down(self, retry_after: float | None) -> float:
        """Note that the application refused a request because of its load. Return the seconds until the next request may be
        sent.
        """
        return self._bucket.refused(self._clock(), retry_after=retry_after)

    def keep_going(self) -> None:
        """Note that the application accepted a request. The pause after the next refusal is then short again."""
        self._bucket.accepted()


def read_retry_after(text: str, now: datetime) -> datetime | None:
    """Return the time from which a Retry-After header allows the next request, or None if the header is missing or unreadable.

    The header contains seconds or an HTTP date (RFC 9110, 10.2.3). The time is never in the past and at most 24 hours away.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return now + min(timedelta(seconds=min(int(text[:9]), 10**8)), LONGEST_PAUSE)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return min(max(at, now), now + LONGEST_PAUSE)
