"""Waiting for a condition instead of a fixed time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable

PATIENCE = 20.0  # seconds; a condition that is still false then will not come true
PAUSE = 0.01  # seconds


async def until(condition: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Return as soon as *condition* holds, which may be a coroutine function. Raises AssertionError if it does not hold in time."""
    give_up_at = time.monotonic() + seconds
    while not await _holds(condition):
        assert time.monotonic() < give_up_at, "the condition did not come true"
        await asyncio.sleep(PAUSE)


def wait_until(condition: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Return as soon as *condition* holds. Raises AssertionError if it does not hold in time."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "the condition did not come true"
        time.sleep(PAUSE)


async def _holds(condition: Callable[[], object]) -> object:
    found = condition()
    return await found if inspect.isawaitable(found) else found
