"""`/events`: server-sent events that say what changed, for the open pages. A page then reads the parts concerned again.

One LISTEN connection serves all of them (`actions.live`). A page begins after the event that was the latest when it was read (`?after=`),
so nothing that happens until it listens is lost; the browser resumes with Last-Event-ID. Nothing is sent that a page would have to hide: an
event names its topic, and the application only to those who may see it.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lockstep.actions.context import Actor, Context
from lockstep.actions.live import LiveEvent, LiveHub
from lockstep.actions.permissions import Permission
from lockstep.kit.streams import event_frame, last_event_id, stream_response
from lockstep.web import callers

PATH = "/events"
AFTER = "after"
BEAT = b"event: beat\ndata:\n\n"  # an event, since the script of a page does not see comments


def live_route(contexts: Callable[[Actor], Context], hub: LiveHub) -> Route:
    async def events(request: Request) -> Response:
        caller = await callers.caller_of(contexts(callers.actor_of(None)), request)
        if caller is None:
            return Response(status_code=204)  # by which an EventSource stops
        actor = caller.actor

        def wanted(event: LiveEvent) -> bool:
            return not event.job or actor.may(Permission.APPLICATIONS_READ, event.application)

        async def is_signed_in() -> bool:
            return await callers.caller_of(contexts(callers.actor_of(None)), request) is not None

        after = last_event_id(request.headers.get("last-event-id") or request.query_params.get(AFTER))
        listening = hub.listening(after=after, wanted=wanted)
        return stream_response(listening, _frame, may_listen=is_signed_in, beat=BEAT)

    return Route(PATH, events, methods=["GET"])


def _frame(event: LiveEvent) -> bytes:
    return event_frame(event.id, event.topic, event.job.encode())
