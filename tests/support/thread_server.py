"""A server with a separate event loop in a thread, for tests that run blocking commands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from typing import TypeVar

T = TypeVar("T")
START_SECONDS = 60


@contextmanager
def served_in_a_thread(serve: Callable[[Callable[[T], None], asyncio.Event], Awaitable[None]]) -> Iterator[T]:
    """Run `serve(ready, stop)` in a thread for the duration of the block, and yield the value that it passes to *ready*.

    *serve* must return once *stop* is set. An error that it raises before it is ready is raised here.
    """
    told: Queue[T | BaseException] = Queue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        await serve(told.put, stop)

    def work() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as failed:
            told.put(failed)

    thread = threading.Thread(target=work)
    thread.start()
    there = told.get(timeout=START_SECONDS)
    if isinstance(there, BaseException):
        raise there
    try:
        yield there
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=START_SECONDS)
        loop.close()
