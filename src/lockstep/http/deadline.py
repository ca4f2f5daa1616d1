"""The deadline of a piece of work that may take several requests: it is set once, and every request of the work keeps it.

Only the client ends a request (`http/client.py`), so that whatever was sent is recorded with its outcome. A second clock around the work
would cut it off from outside and lose that record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_end: ContextVar[float | None] = ContextVar("deadline_of_work", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """All requests of the block, one after another, end within *seconds*."""
    before = _end.set(asyncio.get_running_loop().time() + seconds)
    try:
        yield
    finally:
        _end.reset(before)


def end_of_request(seconds: float) -> float:
    """When a request that is sent now ends: with the work that it belongs to, or after *seconds* if it stands alone.

    In time of the event loop's clock.
    """
    end = _end.get()
    return end if end is not None else asyncio.get_running_loop().time() + seconds
