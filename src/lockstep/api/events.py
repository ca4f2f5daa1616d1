"""`GET /events`: server-sent events about changes. An event names the data to read again and has no other content.

A client resumes with Last-Event-ID. After the event `reset` it must read everything again. A client that reads too slowly is
disconnected, and can resume.
"""

from __future__ import annotations

from functools import partial

import orjson
from fastapi import Request
from fastapi.responses import StreamingResponse

from lockstep.actions.live import LiveEvent, LiveHub
from lockstep.actions.permissions import Permission
from lockstep.api.door import Desk, Who, router_of
from lockstep.api.streams import STREAM
from lockstep.kit.streams import event_frame, last_event_id, stream_response

router = router_of("Events")


@router.get("/events", response_class=StreamingResponse, responses={200: STREAM})
async def events(request: Request, who: Who) -> StreamingResponse:
    """Events of the topics `progress`, `cycle`, `status`, `change`, `source` and `reset`, as they happen.

    `data` is `{"application": id}` or `{"name": name}`. Send Last-Event-ID to continue after the last event that you received.
    """
    hub: LiveHub = request.app.state.hub
    desk: Desk = request.app.state.desk

    def wanted(event: LiveEvent) -> bool:
        if event.job:
            return who.actor.may(Permission.APPLICATIONS_READ, event.application)
        return who.actor.everywhere(Permission.DIRECTORY_READ) and who.actor.everywhere(Permission.APPLICATIONS_READ)

    listening = hub.listening(after=last_event_id(request.headers.get("last-event-id")), wanted=wanted)
    return stream_response(listening, _frames, may_listen=partial(desk.is_still_known, request))


def _frames(events: tuple[LiveEvent, ...]) -> bytes:
    return b"".join(map(_frame, events))


def _frame(event: LiveEvent) -> bytes:
    data = ({"application": event.application} if event.job else {}) | ({"name": event.name} if event.name else {})
    return event_frame(event.id, event.topic, orjson.dumps(data))
