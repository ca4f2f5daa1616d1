"""`/events`: server-sent events that say what changed, for the open pages. A page then reads the parts concerned again.

One LISTEN connection serves all of them (`actions.live`). A page begins after the event that was the latest when it was read (`?after=`),
so nothing that happens until it listens is lost; the browser resumes with Last-Event-ID. Nothing is sent that a page would have to hide: an
event names its topic, and the application only to those who may see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from lockstep.actions.context import Actor, Context
from lockstep.actions.live import Listener, LiveEvent, LiveHub
from lockstep.actions.permissions import Permission
from lockstep.web import callers

PATH = "/events"
AFTER = "after"
BEAT_SECONDS = 15.0  # a comment at least so often, by which the page knows that the stream is alive
LOOK_AGAIN_BEATS = 4  # the session is checked again after so many
RETRY_MILLISECONDS = 2_000


def live_route(contexts: Callable[[Actor], Context], hub: LiveHub) -> Route:
    async def events(request: Request) -> Response:
        caller = await callers.caller_of(contexts(callers.actor_of(None)), request)
        if caller is None:
            return Response(status_code=204)  # by which an EventSource stops

        async def is_signed_in() -> bool:
            return await callers.caller_of(contexts(callers.actor_of(None)), request) is not None

        after = request.headers.get("last-event-id") or request.query_params.get(AFTER, "")
        body = _stream(hub, caller.actor, after, is_signed_in)
        return StreamingResponse(body, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    return Route(PATH, events, methods=["GET"])


async def _stream(
    hub: LiveHub, actor: Actor, after: str, is_signed_in: Callable[[], Awaitable[bool]]
) -> AsyncIterator[str]:
    def wanted(event: LiveEvent) -> bool:
        return not event.job or actor.may(Permission.APPLICATIONS_READ, event.application)

    yield f"retry: {RETRY_MILLISECONDS}\n: connected\n\n"
    with hub.listening(after=after, wanted=wanted) as listener:
        beats = 0
        pending: asyncio.Task[LiveEvent | None] | None = None
        try:
            while True:
                pending = pending or asyncio.ensure_future(_next(listener))
                done, _ = await asyncio.wait([pending], timeout=BEAT_SECONDS)
                if done:
                    event, pending = await pending, None
                    if event is None:  # cut: too slow, or the process stops
                        return
                    yield f"id: {event.id}\nevent: {event.topic}\ndata: {event.job}\n\n"
                    continue
                beats += 1
                if beats % LOOK_AGAIN_BEATS == 0 and not await is_signed_in():
                    return
                yield "event: beat\ndata:\n\n"
        finally:
            if pending is not None:
                pending.cancel()


async def _next(listener: Listener) -> LiveEvent | None:
    return await anext(listener, None)
