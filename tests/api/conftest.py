"""The API on a real port, with a database of its own and a token that may do everything a token may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette

from lockstep.actions import access_tokens, applications, groups, sources
from lockstep.actions.background_tasks import background_tasks
from lockstep.actions.context import Actor, Context
from lockstep.actions.live import LiveHub, live_hub
from lockstep.actions.permissions import SCOPES
from lockstep.api.app import api_routes
from lockstep.serving.limits import ServingLimits
from lockstep.serving.server import listen, serving_http
from lockstep.targets.opener import ScimTargets
from tests.support.hub import Hub, person, write_csv

PEOPLE = ("anna", "bo", "kim.berg", "lee", "mia")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Client:
    """Calls the API as a program does."""

    http: aiohttp.ClientSession
    origin: str
    token: str
    hub: Hub
    live: LiveHub
    contexts: Callable[[Actor], Context]

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, **query: Any
    ) -> Answer:
        given = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        url = path if path.startswith("http") else f"{self.origin}{path if path.startswith('/') else f'/api/v1/{path}'}"
        query = {key: str(value).lower() if isinstance(value, bool) else value for key, value in query.items()}
        async with self.http.request(method, url, json=body, headers=given, params=query or None) as response:
            is_json = "json" in response.headers.get("Content-Type", "")
            content = await response.json(content_type=None) if is_json else await response.text()
            return Answer(response.status, {key.lower(): value for key, value in response.headers.items()}, content)

    async def get(self, path: str, **query: Any) -> Answer:
        return await self.call("GET", path, **query)

    async def finished(self, path: str, **query: Any) -> Answer:
        """POST to *path*, and its operation once it has ended."""
        begun = await self.post(path, **query)
        assert begun.status == 202, begun
        async with asyncio.timeout(20):
            while (answer := await self.get(begun.headers["location"])).body["endedDateTime"] is None:
                await asyncio.sleep(0.02)
        return answer

    async def post(self, path: str, body: Any = None, *, headers: dict[str, str] | None = None, **query: Any) -> Answer:
        return await self.call("POST", path, body, headers=headers, **query)


@pytest.fixture
def allowed() -> tuple[str, ...]:
    """The private origins at which applications may be reached."""
    return ()


@pytest.fixture
async def client(hub: Hub, tmp_path: Path, allowed: tuple[str, ...]) -> AsyncIterator[Client]:
    """A client of an organisation with five people, a group and Documo."""
    config = {"files": [{"path": str(write_csv(tmp_path / "people.csv", [person(name) for name in PEOPLE]))}]}
    await sources.import_source(hub.context, "hr", config=config)
    await applications.add_application(hub.context, "documo")
    await groups.create_group(hub.context, "all-sales")
    targets = ScimTargets(allowed)
    (tmp_path / "sources").mkdir()

    def contexts(actor: Actor) -> Context:
        return replace(
            hub.context, actor=actor, opener=targets, http=lambda: targets.client, sources_folder=tmp_path / "sources"
        )

    new = await access_tokens.create_service_token(contexts(Actor("tests")), "tests", sorted(SCOPES))
    async with live_hub(hub.pool) as live, background_tasks() as tasks:
        await live.connected.wait()
        listener = listen("127.0.0.1", 0, next_step="")
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = Starlette(routes=list(api_routes(contexts, hub=live, tasks=tasks)))
        async with (
            serving_http(app, listener, limits=ServingLimits()),
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as http,
        ):
            yield Client(http, origin, new.secret, hub, live, contexts)
    await targets.close()
