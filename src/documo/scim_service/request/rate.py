"""The rate limit of one tenant: a token bucket that fills at a steady rate. Rate 0 means no limit."""

from __future__ import annotations

import time


class TokenBucket:
    """Allows *rate* requests per second on average, and up to *burst* requests at once. If *rate* is 0, there is no limit."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: int, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._at = time.monotonic()

    def take(self) -> float:
        """Take one token. Returns 0 if a token was available, otherwise the number of seconds until the next one."""
        if not self.rate:
            return 0.0
        now = time.monotonic()
        self._tokens = min(float(self.burst), self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self.rate
