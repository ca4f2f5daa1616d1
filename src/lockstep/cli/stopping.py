"""How a server of ours is stopped: SIGTERM or Ctrl-C once finishes what is under way, a second time ends the process at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def until_stopped(worker: asyncio.Task[Any]) -> None:
    """Wait for a signal. Raises what ended *worker*, if it ended first."""
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
    """Wait for *event*; when *worker* ends before, raise why."""
    waiting = asyncio.create_task(event)
    try:
        await asyncio.wait((waiting, worker), return_when=asyncio.FIRST_COMPLETED)
        if worker.done():
            worker.result()
    finally:
        waiting.cancel()
