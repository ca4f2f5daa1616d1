"""Actions by name, for the command line on another machine. The command line on that machine calls the same actions as the command line on
the server, and prints the same results.

Arguments and results have the form of this version (`lockstep.actions.remote`). Other programs use the other routes, whose form is stable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import Path, Request
from fastapi.responses import StreamingResponse
from pydantic import Field
from typing_extensions import TypedDict

from lockstep.actions.background_tasks import TaskName
from lockstep.actions.context import Context
from lockstep.actions.remote.running import run_named, stream_named
from lockstep.actions.remote.values import to_json
from lockstep.actions.remote.wire import wire_of
from lockstep.api.background import OperationJson, accepted
from lockstep.api.door import Asked, Desk, as_problem, router_of
from lockstep.api.shapes import Body
from lockstep.api.streams import STREAM, until_stopped
from lockstep.errors import invalid
from lockstep.kit.streams import stream_response

router = router_of("Actions")
ActionName = Annotated[
    str, Path(description="Module and name of the action", examples=["people.show_person"], max_length=100)
]


class Call(Body):
    """A call of an action. *shape* identifies the form of arguments and results that the caller uses; any other form is refused. With
    *rehearse*, only the effects on people are returned.
    """

    arguments: dict[str, Any] = Field(default_factory=dict, examples=[{"name": "anna@contoso.test"}])
    shape: Annotated[str, Field(max_length=64)] = ""
    rehearse: bool = False


class CallJson(TypedDict):
    """The result of a call. *said* contains the messages of the action. *undone* contains the names of the applications to which nothing is
    sent because no worker is running.
    """

    result: Any
    said: list[str]
    undone: list[str]
    effects: Any


@router.post("/actions/{action}")
async def call_action(context: Asked, action: ActionName, body: Call) -> CallJson:
    """Call an action, as the command line does. The caller needs the permission of the action. Only the command line uses this route; the
    form of the other routes is stable.
    """
    ran = await run_named(context, action, body.arguments, shape=body.shape, rehearses=body.rehearse)
    return {
        "result": to_json(ran.result),
        "said": list(ran.said),
        "undone": list(ran.undone),
        "effects": to_json(list(ran.effects)),
    }


@router.post("/actions/{action}/begin", status_code=202)
async def begin_action(context: Asked, request: Request, action: ActionName, body: Call) -> OperationJson:
    """Start a long-running action. The header Location has the address of the operation. The operation has the same result as the call
    without `begin`.
    """
    if not wire_of(action).exposed.is_long:
        raise invalid(f"{action} is not a long-running action", next_step=f"POST /actions/{action}")

    async def work(inner: Context) -> Mapping[str, Any]:
        return {**await call_action(inner, action, body)}

    return await accepted(context, request, TaskName(action, action, f"/actions/{action}"), work)


@router.post("/actions/{action}/stream", response_class=StreamingResponse, responses={200: STREAM})
async def stream_action(context: Asked, request: Request, action: ActionName, body: Call) -> StreamingResponse:
    """Call an action that returns many results. Each result is an event `item`, each message an event `said`. The last event is `end` or
    `problem`.
    """
    items = stream_named(context, action, body.arguments, shape=body.shape)
    desk: Desk = request.app.state.desk

    return stream_response(
        until_stopped(_frames(items, request), request.app.state.hub),
        bytes,
        may_listen=partial(desk.is_still_known, request),
    )


async def _frames(items: AsyncIterator[tuple[str, Any]], request: Request) -> AsyncIterator[bytes]:
    try:
        async for kind, value in items:
            yield _frame(kind, to_json(value))
    except Exception as fault:
        yield _frame("problem", as_problem(request, fault))
        return
    yield _frame("end", None)


def _frame(event: str, data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.encode(), orjson.dumps(data))
