"""The routes of the API for a server that also serves pages. The API is loaded at the first request for one of its routes.

Loading the API takes as long as loading everything else in the server, and browsers never need the API.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute, Match, Router
from starlette.types import Receive, Scope, Send

from lockstep.actions.background_tasks import BackgroundTasks
from lockstep.actions.context import Actor, Context
from lockstep.actions.live import LiveHub

# A path with a line break belongs to the API too, as in `api_routes`.
_PATHS = re.compile(r"/(api/v1/.*|api/openapi\.json|api/docs|problems|problems/[^/]+)", re.DOTALL)


class LateApi(BaseRoute):
    """One route that stands for all routes that *load* returns. The first request calls *load* in a thread, so that other requests are
    answered meanwhile. If loading fails, this request fails, and the next request tries again.
    """

    def __init__(self, load: Callable[[], Sequence[BaseRoute]]) -> None:
        self._load = load
        self._loading = asyncio.Lock()
        self._router: Router | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL if scope["type"] == "http" and _PATHS.fullmatch(scope["path"]) else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        router = self._router or await self._loaded()
        await router(scope, receive, send)

    async def _loaded(self) -> Router:
        async with self._loading:
            if self._router is None:
                self._router = Router(await asyncio.to_thread(self._load), redirect_slashes=False)
            return self._router


def late_api(contexts: Callable[[Actor], Context], *, hub: LiveHub, tasks: BackgroundTasks) -> LateApi:
    """Return one route that stands for all routes of `lockstep.api.app.api_routes`. The first request to this route loads them."""

    def load() -> Sequence[BaseRoute]:
        from lockstep.api.app import api_routes

        return api_routes(contexts, hub=hub, tasks=tasks)

    return LateApi(load)
