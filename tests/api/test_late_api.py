"""A server that also serves pages loads the API with the first request for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Match, Route

from lockstep.actions.background_tasks import BackgroundTasks
from lockstep.actions.context import Actor, Context
from lockstep.actions.live import LiveHub
from lockstep.api.app import api_routes
from lockstep.api.late import LateApi, late_api
from lockstep.serving.limits import ServingLimits
from lockstep.serving.server import listen, serving_http

OUTSIDE = ("/", "/api", "/api/v1", "/api/v2/me", "/api/docs/x", "/api/openapi.json/", "/problems/a/b", "/people")
INSIDE = ("/api/v1/", "/api/v1/me", "/api/v1/a\nb", "/api/openapi.json", "/api/docs", "/problems", "/problems/conflict")


async def test_first_request_loads_the_api_and_all_others_use_it() -> None:
    loads: list[str] = []

    def load() -> Sequence[BaseRoute]:
        loads.append("load")
        return [Route("/api/docs", _hello)]

    async with _serving(LateApi(load)) as get:
        before = list(loads)
        answers = await asyncio.gather(*(get("/api/docs") for _ in range(5)))

    assert (before, loads) == ([], ["load"])
    assert answers == [(200, "hello")] * 5


async def test_an_api_that_cannot_be_loaded_fails_the_request_and_is_loaded_again_by_the_next_one() -> None:
    loads: list[str] = []

    def load() -> Sequence[BaseRoute]:
        loads.append("load")
        if len(loads) == 1:
            raise ImportError("no such module")
        return [Route("/api/docs", _hello)]

    async with _serving(LateApi(load)) as get:
        first, second = await get("/api/docs"), await get("/api/docs")

    assert (first[0], second) == (500, (200, "hello"))


@pytest.mark.parametrize("path", [*INSIDE, *OUTSIDE], ids=repr)
def test_the_late_api_has_the_paths_of_the_api(path: str) -> None:
    scope = {"type": "http", "path": path, "root_path": "", "method": "GET", "headers": []}

    whole = any(route.matches(dict(scope))[0] is not Match.NONE for route in _routes())
    late = _late().matches(dict(scope))[0] is not Match.NONE

    assert whole is late is (path in INSIDE)


async def test_the_late_api_answers_like_the_api() -> None:
    async with _serving(_late()) as late, _serving(*_routes()) as whole:
        for path in ("/problems/conflict", "/problems/nothing", "/api/openapi.json", "/api/docs"):
            assert await late(path) == await whole(path)


def test_server_is_ready_without_the_api() -> None:
    code = "import sys, lockstep.cli.serve; print(*({'fastapi', 'pydantic', 'lockstep.api.app'} & sys.modules.keys()))"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.split() == []


def _routes() -> Sequence[BaseRoute]:
    return api_routes(_nobody, hub=LiveHub(), tasks=BackgroundTasks())


def _late() -> LateApi:
    return late_api(_nobody, hub=LiveHub(), tasks=BackgroundTasks())


def _nobody(_: Actor) -> Context:
    raise AssertionError("no request of these tests has a caller")


async def _hello(_: object) -> PlainTextResponse:
    return PlainTextResponse("hello")


@asynccontextmanager
async def _serving(*routes: BaseRoute) -> AsyncIterator[Callable[[str], Awaitable[tuple[int, str]]]]:
    listener = listen("127.0.0.1", 0, next_step="")
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with (
        serving_http(Starlette(routes=list(routes)), listener, limits=ServingLimits()),
        aiohttp.ClientSession() as http,
    ):

        async def get(path: str) -> tuple[int, str]:
            async with http.get(origin + path) as answer:
                return answer.status, await answer.text()

        yield get
