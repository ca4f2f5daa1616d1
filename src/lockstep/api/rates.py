"""Limit the number of requests that a caller may make in a minute, so that a faulty script cannot use up the server.

Every response reports the limit (draft-ietf-httpapi-ratelimit-headers-07). Each process counts separately.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from lockstep.api.problems import ApiError
from lockstep.errors import Kind

REQUESTS = 3_000
WINDOW_SECONDS = 60
_MOST_CALLERS = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """The requests of one caller in the present window. *used* includes the present request."""

    limit: int
    used: int
    reset_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "RateLimit-Reset": str(self.reset_seconds),
            "RateLimit-Policy": f"{self.limit};w={WINDOW_SECONDS}",
        }

    def require(self) -> None:
        """Raise ApiError if this request exceeds the limit."""
        if self.used > self.limit:
            raise ApiError(
                Kind.THROTTLED,
                f"More than {self.limit:,} requests in {WINDOW_SECONDS} seconds",
                next_step=f"Wait {self.reset_seconds} seconds, then continue",
                retryable=True,
                slug="too-many-requests",
                headers={"Retry-After": str(self.reset_seconds)},
            )


class Rates:
    """Counts the requests of all callers."""

    def __init__(self, limit: int = REQUESTS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}  # by caller: start of the window, and requests in it

    def count(self, caller: str) -> Rate:
        """Count one request of *caller*."""
        now = self._clock()
        began, used = self._windows.get(caller, (now, 0))
        if now - began >= WINDOW_SECONDS:
            began, used = now, 0
        if caller not in self._windows and len(self._windows) >= _MOST_CALLERS:
            self._forget(now)
        self._windows[caller] = began, used + 1
        return Rate(self._limit, used + 1, max(1, ceil(began + WINDOW_SECONDS - now)))

    def _forget(self, now: float) -> None:
        """Remove the windows that have ended. If too many remain, remove all."""
        self._windows = {name: one for name, one in self._windows.items() if now - one[0] < WINDOW_SECONDS}
        if len(self._windows) >= _MOST_CALLERS:
            self._windows.clear()
