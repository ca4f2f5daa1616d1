"""`/events`: server-sent events that tell open pages what changed. A page then reloads the affected parts.

One LISTEN connection serves all pages (`actions.live`). The stream of a page begins after the latest event at the time of rendering
(`?after=`), so the page misses no change between rendering and listening. After a lost connection, the browser resumes with Last-Event-ID.

Events contain nothing confidential: an event names its topic, and names an application only to callers who may see it. The data of an event
begins with the average number of milliseconds for which a page waits before it reloads. This wait keeps many open pages from slowing a
cycle down.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lockstep.actions.context import Actor, Context
from lockstep.actions.live import LiveEvent, LiveHub
from lockstep.actions.permissions import Permission
from lockstep.kit.streams import event_frame, last_event_id, stream_response
from lockstep.web import callers

PATH = "/events"
AFTER = "after"
READING = b"x-live"  # request header of a page that reloads its parts
BEAT = b"event: beat\ndata:\n\n"  # an event, because a page's script does not see comments


def live_route(contexts: Callable[[Actor], Context], hub: LiveHub) -> Route:
    async def events(request: Request) -> Response:
        caller = await callers.caller_of(contexts(callers.actor_of(None)), request)
        if caller is None:
            return Response(status_code=204)  # this status stops an EventSource
        actor = caller.actor

        def wanted(event: LiveEvent) -> bool:
            return not event.job or actor.may(Permission.APPLICATIONS_READ, event.application)

        async def is_signed_in() -> bool:
            return await callers.caller_of(contexts(callers.actor_of(None)), request) is not None

        after = last_event_id(request.headers.get("last-event-id") or request.query_params.get(AFTER))
        listening = hub.listening(after=after, wanted=wanted)

        def frames(events: tuple[LiveEvent, ...]) -> bytes:
            pause = hub.reading_pause * 1000
            return b"".join(event_frame(one.id, one.topic, b"%d %b" % (pause, one.job.encode())) for one in events)

        return stream_response(listening, frames, may_listen=is_signed_in, beat=BEAT)

    return Route(PATH, events, methods=["GET"])


class CountReadings:
    """Measures, for the hub, the CPU time of requests that reload parts of pages.

    Overlapping requests share the thread, so time is counted while at least one of them is in progress. Other work of the thread is counted
    too, so pages wait longer on a busy server.
    """

    def __init__(self, app: ASGIApp, hub: LiveHub) -> None:
        self._app, self._hub = app, hub
        self._open = self._done = 0
        self._began = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or READING not in dict(scope["headers"]):
            return await self._app(scope, receive, send)
        if not self._open:
            self._began, self._done = time.thread_time(), 0
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._done += 1
            if not self._open:
                self._hub.note_readings(self._done, time.thread_time() - self._began)
