"""Stop a server: the first SIGTERM or Ctrl-C finishes work in progress, the second ends the process at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from lockstep.errors import Kind, LockstepError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def ends_by_signal() -> Iterator[None]:
    """Let a signal cancel the running task, so that all resources are closed. The process then ends as interrupted."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is None:
        raise LockstepError(Kind.INTERNAL, "The server does not run as a task, so signals cannot end it")
    for one in SIGNALS:
        loop.add_signal_handler(one, task.cancel)
    try:
        yield
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        for one in SIGNALS:
            loop.remove_signal_handler(one)


async def until_stopped(worker: asyncio.Task[Any]) -> None:
    """Wait for a signal. If *worker* ends first, raise its exception."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        stop.set()
        for one in SIGNALS:
            loop.remove_signal_handler(one)

    for one in SIGNALS:
        loop.add_signal_handler(one, asked)
    await either(stop.wait(), worker)


async def either(event: Coroutine[Any, Any, object], worker: asyncio.Task[Any]) -> None:
    """Wait for *event*. If *worker* ends first, raise its exception."""
    waiting = asyncio.create_task(event)
    try:
        await asyncio.wait((waiting, worker), return_when=asyncio.FIRST_COMPLETED)
        if worker.done():
            worker.result()
    finally:
        waiting.cancel()
