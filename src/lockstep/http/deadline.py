"""The deadline of work that may take several requests. It is set once, and every request of the work observes it.

Only the client may end a request (`http/client.py`), so every request that was sent is recorded with its outcome. A second timeout around
the work would cancel the request from outside, and the record would be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_end: ContextVar[float | None] = ContextVar("deadline_of_work", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit the total time of all requests in the block to *seconds*."""
    before = _end.set(asyncio.get_running_loop().time() + seconds)
    try:
        yield
    finally:
        _end.reset(before)


def end_of_request(seconds: float) -> float:
    """Return when a request that is sent now must end: at the deadline of its work, or after *seconds* if there is no deadline.

    The result is event loop time.
    """
    end = _end.get()
    return end if end is not None else asyncio.get_running_loop().time() + seconds
