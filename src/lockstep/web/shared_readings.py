"""Render a page once for all browsers that show it. After a change, browsers with the same rights get the response that was rendered for
the first of them.

A shared response contains no name, session or notice of any caller. Each browser's copy gets the form token of that browser's session.
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

KEPT_SECONDS = 30.0  # how long a response is reused if nothing changes
TOKEN = secrets.token_urlsafe(24)  # replaces form tokens in a shared response; random, so nobody can send it
_MOST_KEPT = 100


class NotShared(Exception):
    """Raised for a page that does not reload after changes and is therefore not shared."""


@dataclass(frozen=True, slots=True)
class _Reading:
    event: str  # the newest event when the rendering began
    began: float
    response: asyncio.Future[Response]


class SharedReadings:
    """Keeps the newest response of each page, for each set of rights and display settings."""

    def __init__(self, hub: LiveHub) -> None:
        self._hub = hub
        self._kept: dict[Hashable, _Reading] = {}

    async def answer(
        self, request: Request, caller: Caller, read: Callable[[Request, Caller], Awaitable[Response]]
    ) -> Response:
        """Return the page that *request* asks for. Calls *read* to render it only if something has changed since the last rendering, or if
        the last rendering is older than KEPT_SECONDS.

        An error of *read* is raised for every caller that waits for this response.
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
    """Read the error of the finished rendering *made*. Otherwise asyncio would log the error if every browser has disconnected."""
    if not made.cancelled():
        made.exception()


def _key(request: Request, actor: Actor) -> Hashable:
    rights = (actor.permissions, actor.own_permissions, actor.own_applications, actor.is_stepped_up)
    looks = tuple(sorted(looks_of(request, PRODUCT).items()))
    return str(request.url), rights, looks


def _nobody(caller: Caller) -> Caller:
    """Return an anonymous caller with the rights of *caller*."""
    actor = replace(caller.actor, name="", administrator="")
    return replace(caller, actor=actor, email="", display_name="", session="", token="", csrf_secret="")


def _of_nobody(request: Request) -> Request:
    """Return a copy of the request with an empty state, and with only the cookies of the display settings."""
    looks = looks_of(request, PRODUCT)
    cookies = "; ".join(f"{PRODUCT.lower()}_{name}={value}" for name, value in looks.items())
    headers = [pair for pair in request.scope["headers"] if pair[0] != b"cookie"]
    return Request(
        {**request.scope, "headers": [*headers, (b"cookie", cookies.encode())], "state": {}}, request.receive
    )
