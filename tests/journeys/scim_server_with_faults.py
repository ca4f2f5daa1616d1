"""A small SCIM server in a separate process, with faults: `python scim_server_with_faults.py PORT`.

It keeps accounts in memory, so it outlives every worker that is killed. User names are NOT unique: nobody but the client prevents an
account from being created twice. POST /_faults sets how often, in
percent, a request is answered wrongly: `reset_after` (done, then the connection is cut), `error_after` (done, then 500), `throttle`
(429, not done), `reset_before` (cut, not done). GET /_accounts shows everything; `delay` is in seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
FILTER = re.compile(r'^(\w+) eq "(.*)"$')


class Server:
    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.created: list[str] = []
        self.requests = 0
        self.faults: dict[str, float] = {}
        self.ids = itertools.count(1)
        self.chance = random.Random(11)

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self.trouble])
        app.router.add_post("/scim/v2/Users", self.create)
        app.router.add_get("/scim/v2/Users", self.listing)
        app.router.add_get("/scim/v2/Users/{id}", self.read)
        app.router.add_patch("/scim/v2/Users/{id}", self.patch)
        app.router.add_delete("/scim/v2/Users/{id}", self.delete)
        app.router.add_get("/_accounts", self.accounts)
        app.router.add_post("/_faults", self.set_faults)
        return app

    @web.middleware
    async def trouble(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path.startswith("/_"):
            return await handler(request)
        self.requests += 1
        await asyncio.sleep(self.faults.get("delay", 0))
        if self.happens("throttle"):
            return web.json_response({"schemas": [ERROR], "status": "429"}, status=429, headers={"Retry-After": "1"})
        if self.happens("reset_before"):
            return self.cut(request)
        answer = await handler(request)
        if self.happens("reset_after"):
            return self.cut(request)
        if self.happens("error_after"):
            return web.json_response({"schemas": [ERROR], "status": "500"}, status=500)
        return answer

    def happens(self, fault: str) -> bool:
        return self.chance.random() * 100 < self.faults.get(fault, 0)

    def cut(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def create(self, request: web.Request) -> web.Response:
        user = await request.json()
        name = user["userName"].lower()
        user["id"] = f"id{next(self.ids)}"
        self.users[user["id"]] = user
        self.created.append(name)
        return scim(user, 201)

    async def listing(self, request: web.Request) -> web.Response:
        found = list(self.users.values())
        if text := request.query.get("filter"):
            match = FILTER.match(text)
            assert match is not None, text
            found = [one for one in found if str(one.get(match[1], "")).lower() == match[2].lower()]
        start, count = int(request.query.get("startIndex", 1)), int(request.query.get("count", 100))
        page = found[start - 1 : start - 1 + count]
        return scim({"schemas": [LIST], "totalResults": len(found), "startIndex": start, "itemsPerPage": len(page),
                     "Resources": page})  # fmt: skip

    async def read(self, request: web.Request) -> web.Response:
        user = self.users.get(request.match_info["id"])
        return scim(user) if user is not None else error(404, "", "no such user")

    async def patch(self, request: web.Request) -> web.Response:
        user = self.users.get(request.match_info["id"])
        if user is None:
            return error(404, "", "no such user")
        for operation in (await request.json())["Operations"]:
            place, _, leaf = operation["path"].rpartition(".")
            (user.setdefault(place, {}) if place else user)[leaf] = operation["value"]
        return scim(user)

    async def delete(self, request: web.Request) -> web.Response:
        user = self.users.pop(request.match_info["id"], None)
        if user is None:
            return error(404, "", "no such user")
        return web.Response(status=204)

    async def accounts(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"users": list(self.users.values()), "created": self.created, "requests": self.requests}
        )

    async def set_faults(self, request: web.Request) -> web.Response:
        self.faults = await request.json()
        return web.json_response({})


def scim(body: Any, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, content_type="application/scim+json")


def error(status: int, kind: str, detail: str) -> web.Response:
    return scim({"schemas": [ERROR], "status": str(status), "scimType": kind, "detail": detail}, status)


if __name__ == "__main__":
    web.run_app(Server().application(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
