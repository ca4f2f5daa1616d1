"""`GET /events`: server-sent events that say what changed. They name what to read again and carry no content.

A client resumes with Last-Event-ID. After `reset` it reads everything again. A client that reads too slowly is cut, and resumes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from lockstep.actions.context import Actor
from lockstep.actions.live import Listener, LiveEvent, LiveHub
from lockstep.actions.permissions import Permission
from lockstep.api.door import Desk, DoorRoute, Who

router = APIRouter(route_class=DoorRoute, tags=["Events"])
BEAT_SECONDS = 15.0  # a comment at least so often, by which a client knows that the stream is alive
CALLER_BEATS = 4  # the token is checked again after so many
_RETRY_MILLISECONDS = 2_000
_STREAM = {"content": {"text/event-stream": {"schema": {"type": "string"}}}}


@router.get("/events", response_class=StreamingResponse, responses={200: _STREAM})
async def events(request: Request, who: Who) -> StreamingResponse:
    """Events of the topics `progress`, `cycle`, `status`, `change`, `source` and `reset`, as they happen.

    `data` is `{"application": id}` or `{"name": what}`. Send Last-Event-ID to continue after the last event that you saw.
    """
    hub: LiveHub = request.app.state.hub
    desk: Desk = request.app.state.desk
    after = request.headers.get("last-event-id", "")[:100]
    body = _stream(hub, who.actor, after, desk, request)
    return StreamingResponse(body, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(hub: LiveHub, actor: Actor, after: str, desk: Desk, request: Request) -> AsyncIterator[bytes]:
    def wanted(event: LiveEvent) -> bool:
        if event.job:
            return actor.may(Permission.APPLICATIONS_READ, event.application)
        return actor.everywhere(Permission.DIRECTORY_READ) and actor.everywhere(Permission.APPLICATIONS_READ)

    yield f"retry: {_RETRY_MILLISECONDS}\n: connected\n\n".encode()
    with hub.listening(after=after, wanted=wanted) as listener:
        beats = 0
        pending: asyncio.Task[LiveEvent | None] | None = None
        try:
            while True:
                pending = pending or asyncio.ensure_future(_next(listener))
                done, _ = await asyncio.wait([pending], timeout=BEAT_SECONDS)
                if done:
                    event, pending = pending.result(), None
                    if event is None:  # cut: too slow, or the process stops
                        return
                    yield _frame(event)
                    continue
                beats += 1
                if beats % CALLER_BEATS == 0 and not await desk.is_still_known(request):
                    return
                yield b": beat\n\n"
        finally:
            if pending is not None:
                pending.cancel()


async def _next(listener: Listener) -> LiveEvent | None:
    return await anext(listener, None)


def _frame(event: LiveEvent) -> bytes:
    data = ({"application": event.application} if event.job else {}) | ({"name": event.name} if event.name else {})
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.id.encode(), event.topic.encode(), orjson.dumps(data))
