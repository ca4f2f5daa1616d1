"""One reading for all open pages that show the same: after a change, browsers with the same rights get what the first of them read.

The reading is made for nobody in particular: without a name, a session or a notice. Each answer gets the form token of its own session.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions.callers import Caller
from lockstep.actions.context import Actor
from lockstep.actions.live import LiveHub
from lockstep.kit import csrf
from lockstep.kit.looks import looks_of
from lockstep.web.frame import PRODUCT

KEPT_SECONDS = 30.0  # how long a reading is used if nothing changes
TOKEN = secrets.token_urlsafe(24)  # takes the place of form tokens in a shared reading; nobody can know it
_MOST_KEPT = 100


class NotShared(Exception):
    """The page is not one that is read again when something changes."""


@dataclass(frozen=True, slots=True)
class _Reading:
    event: str  # the newest one when the reading began
    began: float
    response: asyncio.Future[Response]


class SharedReadings:
    """Keeps the newest reading of each page, for each set of rights and looks."""

    def __init__(self, hub: LiveHub) -> None:
        self._hub = hub
        self._kept: dict[Hashable, _Reading] = {}

    async def answer(
        self, request: Request, caller: Caller, read: Callable[[Request, Caller], Awaitable[Response]]
    ) -> Response:
        """Return the newest reading of the page that *request* asks for, made by *read* if something has changed since the last one.

        Raises the error of *read*, to everybody who waits for this reading.
        """
        key = _key(request, caller.actor)
        kept = self._kept.get(key)
        if kept is None or kept.event != self._hub.latest or time.monotonic() - kept.began > KEPT_SECONDS:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            made = asyncio.ensure_future(read(_of_nobody(request), _nobody(caller)))
            made.add_done_callback(_seen)
            kept = self._kept[key] = _Reading(self._hub.latest, time.monotonic(), made)
        try:
            response = await asyncio.shield(kept.response)
        except Exception:
            if self._kept.get(key) is kept:
                del self._kept[key]
            raise
        body = bytes(response.body).replace(TOKEN.encode(), csrf.masked(caller.csrf_secret).encode())
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return Response(body, response.status_code, headers)


def _seen(made: asyncio.Future[Response]) -> None:
    """Take note of an error, so that it is not reported if every browser has gone meanwhile."""
    if not made.cancelled():
        made.exception()


def _key(request: Request, actor: Actor) -> Hashable:
    rights = (actor.permissions, actor.own_permissions, actor.own_applications, actor.is_stepped_up)
    looks = tuple(sorted(looks_of(request, PRODUCT).items()))
    return str(request.url), rights, looks


def _nobody(caller: Caller) -> Caller:
    """A caller with the rights of *caller*, and nothing else."""
    actor = replace(caller.actor, name="", administrator="")
    return replace(caller, actor=actor, email="", display_name="", session="", token="", csrf_secret="")


def _of_nobody(request: Request) -> Request:
    """The same request with a state of its own, and without cookies but those of the looks."""
    looks = looks_of(request, PRODUCT)
    cookies = "; ".join(f"{PRODUCT.lower()}_{name}={value}" for name, value in looks.items())
    headers = [pair for pair in request.scope["headers"] if pair[0] != b"cookie"]
    return Request(
        {**request.scope, "headers": [*headers, (b"cookie", cookies.encode())], "state": {}}, request.receive
    )
