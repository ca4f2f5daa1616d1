"""Server-sent events: the loop that all streams share. The loop sends heartbeats. It ends a stream when the caller is no longer allowed to
listen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from starlette.responses import StreamingResponse

BEAT_SECONDS = 15.0  # longest time without data: then a heartbeat is sent
CHECK_SECONDS = 60.0  # the caller's session or token is checked again after this time
RETRY_MILLISECONDS = 2_000
_MOST_ID = 100  # characters

E = TypeVar("E")


def stream_response(
    listening: AbstractContextManager[AsyncIterator[E]],
    frame: Callable[[E], bytes],
    *,
    may_listen: Callable[[], Awaitable[bool]],
    beat: bytes = b": beat\n\n",
) -> StreamingResponse:
    """Return a response that sends each event as a frame, until the events end or *may_listen* returns False."""
    body = _parts(listening, frame, may_listen, beat)
    return StreamingResponse(body, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def event_frame(identifier: str, event: str, data: bytes) -> bytes:
    """Return one event as bytes of the stream. *data* must not contain a line break."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (identifier.encode(), event.encode(), data)


def last_event_id(header: str | None) -> str:
    """Return the id of the last event that a reconnecting client received, or "" for a new client."""
    return (header or "")[:_MOST_ID]


async def _parts(
    listening: AbstractContextManager[AsyncIterator[E]],
    frame: Callable[[E], bytes],
    may_listen: Callable[[], Awaitable[bool]],
    beat: bytes,
) -> AsyncIterator[bytes]:
    with listening as events:
        yield b"retry: %d\n: connected\n\n" % RETRY_MILLISECONDS  # no event is missed from here on
        checked_at = time.monotonic()
        pending: asyncio.Task[E | None] | None = None
        try:
            while True:
                pending = pending or asyncio.ensure_future(_next(events))
                done, _ = await asyncio.wait([pending], timeout=BEAT_SECONDS)
                if time.monotonic() - checked_at >= CHECK_SECONDS:
                    if not await may_listen():
                        return
                    checked_at = time.monotonic()
                if not done:
                    yield beat
                    continue
                event, pending = pending.result(), None
                if event is None:  # closed: the client is too slow, or the process stops
                    return
                yield frame(event)
        finally:
            if pending is not None:
                pending.cancel()
                await asyncio.gather(
                    pending, return_exceptions=True
                )  # wait until the producer of the events has cleaned up


async def _next(events: AsyncIterator[E]) -> E | None:
    return await anext(events, None)
