"""Send the messages of a running action as server-sent events. The stream ends when the action ends or the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from lockstep.actions.live import LiveHub

MEDIA_TYPE = "text/event-stream"
_EVENT = {"type": "object", "properties": {"event": {"type": "string"}, "data": {"type": "string"}}}
STREAM = {"content": {MEDIA_TYPE: {"schema": _EVENT}}}  # of each event


@contextmanager
def until_stopped(frames: AsyncIterator[bytes], hub: LiveHub) -> Iterator[AsyncIterator[bytes]]:
    """Yield *frames* until they end or the server stops."""

    async def ended() -> None:
        async for _ in listener:
            pass

    with hub.listening(wanted=lambda _: False) as listener:
        stopping = asyncio.ensure_future(ended())
        try:
            yield _until(frames, stopping)
        finally:
            stopping.cancel()


async def _until(frames: AsyncIterator[bytes], stopping: asyncio.Task[None]) -> AsyncIterator[bytes]:
    pending: asyncio.Task[bytes | None] | None = None
    try:
        while True:
            pending = asyncio.ensure_future(_next(frames))
            await asyncio.wait([pending, stopping], return_when=asyncio.FIRST_COMPLETED)
            frame = pending.result() if pending.done() else None
            if frame is None:
                return
            yield frame
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)


async def _next(frames: AsyncIterator[bytes]) -> bytes | None:
    return await anext(frames, None)
