"""Answers that go on: server-sent events, with a sign of life while there is nothing to say, and an end when the caller's token ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from fastapi import Request
from fastapi.responses import StreamingResponse

from lockstep.actions.live import LiveHub
from lockstep.api.door import Desk

BEAT_SECONDS = 15.0  # a comment at least so often, by which a client knows that the stream is alive
CALLER_SECONDS = 60.0  # the token is checked again after so long
MEDIA_TYPE = "text/event-stream"
_EVENT = {"type": "object", "properties": {"event": {"type": "string"}, "data": {"type": "string"}}}
STREAM = {"content": {MEDIA_TYPE: {"schema": _EVENT}}}  # of each event


def streamed(frames: AsyncIterator[bytes]) -> StreamingResponse:
    """The response with *frames*, which no proxy holds back."""
    return StreamingResponse(frames, media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})


async def beating(frames: AsyncIterator[bytes], request: Request) -> AsyncIterator[bytes]:
    """*frames* with signs of life between them, until they end, the caller is no longer known, or the server stops."""
    desk: Desk = request.app.state.desk
    checked_at = time.monotonic()
    pending: asyncio.Task[bytes | None] | None = None
    with _stopping(request.app.state.hub) as stopping:
        try:
            while True:
                pending = pending or asyncio.ensure_future(_next(frames))
                await asyncio.wait([pending, stopping], timeout=BEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if time.monotonic() - checked_at > CALLER_SECONDS:
                    checked_at = time.monotonic()
                    if not await desk.is_still_known(request):
                        return
                if pending.done():
                    frame, pending = pending.result(), None
                    if frame is None:
                        return
                    yield frame
                elif stopping.done():
                    return
                else:
                    yield b": beat\n\n"
        finally:
            if pending is not None:
                pending.cancel()
                await asyncio.gather(pending, return_exceptions=True)


async def _next(frames: AsyncIterator[bytes]) -> bytes | None:
    return await anext(frames, None)


@contextmanager
def _stopping(hub: LiveHub) -> Iterator[asyncio.Task[None]]:
    """A task that is done when the server stops."""

    async def ended() -> None:
        async for _ in listener:
            pass

    with hub.listening(wanted=lambda _: False) as listener:
        task = asyncio.ensure_future(ended())
        try:
            yield task
        finally:
            task.cancel()
