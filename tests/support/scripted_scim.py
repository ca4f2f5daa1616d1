"""A SCIM application over real HTTP that answers one kind of request as a test scripts it, and everything else correctly."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from aiohttp import web

from lockstep.postgres.pool import Pool
from lockstep.targets.opener import ScimTargets
from tests.support.sync_world import FAST, World, make_world

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
FILTER = re.compile(r'^(\w+) eq "(.*)"$')
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ScriptedScim:
    """*asked* counts requests by kind: probe, listing, search, get, create, update, delete, members."""

    def __init__(self) -> None:
        self.origin = ""
        self.asked: Counter[str] = Counter()
        self.answers: dict[str, Answer] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(1)

    @property
    def user_names(self) -> set[str]:
        return {one["userName"] for one in self.resources.values() if "userName" in one}

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request) or hasattr(request, "rel_url")
        kind = self._kind(request)
        self.asked[kind] += 1
        if kind in self.answers:
            return await self.answers[kind](request)  # type: ignore[arg-type]
        return await self._answer(kind, request)

    def _kind(self, request: web.BaseRequest) -> str:
        parts = request.path.strip("/").split("/")
        if request.method == "POST":
            return "create"
        if request.method == "PATCH":
            return "members" if parts[2] == "Groups" else "update"
        if request.method == "DELETE":
            return "delete"
        if len(parts) > 3:
            return "get"
        if "filter" not in request.query:
            return "listing"
        match = FILTER.match(request.query["filter"])
        return "probe" if match is not None and _is_uuid(match[2]) else "search"

    async def _answer(self, kind: str, request: web.BaseRequest) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if kind == "create":
            made = {**await request.json(), "id": f"a{next(self._ids)}"}
            made["kind"] = parts[2]
            self.resources[made["id"]] = made
            return scim(made, status=201)
        if kind in ("probe", "listing", "search"):
            return scim(self._listed(parts[2], request))
        held = self.resources.get(parts[3])
        if held is None:
            return scim({"schemas": [ERROR], "status": "404"}, status=404)
        if kind == "delete":
            del self.resources[parts[3]]
            return web.Response(status=204)
        if kind == "update":
            for operation in (await request.json())["Operations"]:
                if "path" not in operation:
                    held |= operation["value"]
                elif "." not in operation["path"]:
                    held[operation["path"]] = operation.get("value")
        return scim(held)

    def _listed(self, resource_type: str, request: web.BaseRequest) -> dict[str, Any]:
        found = [one for one in self.resources.values() if one["kind"] == resource_type]
        match = FILTER.match(request.query.get("filter", ""))
        if match is not None:
            found = [one for one in found if str(one.get(match[1], "")).lower() == match[2].lower()]
        start = int(request.query.get("startIndex", "1"))
        page = found[start - 1 : start - 1 + int(request.query.get("count", "100"))]
        return {"schemas": [LIST], "totalResults": len(found), "startIndex": start, "Resources": page}


def scim(body: Any, *, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, content_type="application/scim+json")


def saying(status: int, text: str = "", *, content_type: str = "application/scim+json", **headers: str) -> Answer:
    """Return a handler that always gives this answer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text or None, content_type=content_type, headers=headers)

    return answer


@asynccontextmanager
async def scripted_world(pool: Pool, application: ScriptedScim, config: dict[str, Any]) -> AsyncIterator[World]:
    """A world whose application is *application*."""
    world = await make_world(pool, None, times=FAST)  # type: ignore[arg-type]
    await world.rows("update credential set tenant_url = %s returning 1", f"{application.origin}/scim/v2")
    await world.configure(config)
    targets = ScimTargets([application.origin])
    world.services.opener = targets
    try:
        yield world
    finally:
        await targets.close()


@asynccontextmanager
async def scripted_scim(application: ScriptedScim | None = None) -> AsyncIterator[ScriptedScim]:
    """Serve *application*, or a new one, on a free port of 127.0.0.1."""
    application = application or ScriptedScim()
    runner = web.ServerRunner(web.Server(application.serve, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    application.origin = f"http://127.0.0.1:{port}"
    try:
        yield application
    finally:
        await runner.cleanup()


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
