"""Documo and a strict SCIM server that is not ours as Lockstep's two applications, with a proxy before each.

The proxy counts every request, and a test can make it misbehave.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from lockstep.actions import applications, credentials, following, provisioning, sources, status
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Actor, Context
from lockstep.postgres import embedded
from lockstep.settings import load_settings
from lockstep.storage.cycles import Cycle
from lockstep.vault import Secret
from lockstep.wiring import open_house
from tests.support.hub import HEADER, write_csv
from tests.support.target_servers import TOKEN_FOR_SCIM2, scim2_server, serving

DOCUMO, STRICT = "documo", "strict"
Forward = Callable[[], Awaitable[web.StreamResponse]]
Trouble = Callable[[web.Request, Forward], Awaitable[web.StreamResponse]]


@dataclass
class Wire:
    """The connection to one application: the requests sent, and the faults on the way."""

    token: str
    upstream: str  # the application's own origin
    path: str
    url: str = ""
    sent: list[tuple[str, str, Any]] = field(default_factory=list)
    made: list[str] = field(default_factory=list)  # the paths of what was created
    trouble: Trouble | None = None

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        return [one for one in self.sent if one[0] != "GET"]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.sent.append((request.method, request.raw_path.removeprefix(self.path), json.loads(body) if body else None))

        async def forward() -> web.StreamResponse:
            headers = {
                name: request.headers[name]
                for name in ("Authorization", "Content-Type", "Accept", "If-Match")
                if name in request.headers
            }
            address = self.upstream + request.raw_path
            async with (
                aiohttp.ClientSession() as session,
                session.request(request.method, address, data=body or None, headers=headers) as answer,
            ):
                kept = {
                    name: answer.headers[name]
                    for name in ("Content-Type", "ETag", "Retry-After")
                    if name in answer.headers
                }
                received = await answer.read()
                if request.method == "POST":
                    self._note_made(request.path.removeprefix(self.path), answer.status, received)
                return web.Response(status=answer.status, body=received, headers=kept)

        return await (self.trouble(request, forward) if self.trouble else forward())

    def _note_made(self, path: str, status: int, received: bytes) -> None:
        """Note what a POST created, by itself or as an operation of a bulk request (RFC 7644, sections 3.3 and 3.7)."""
        if path == "/Bulk" and status == 200:
            locations = [
                str(one["location"]) for one in json.loads(received)["Operations"] if str(one["status"]) == "201"
            ]
            self.made += ["/" + "/".join(location.rsplit("/", 2)[1:]) for location in locations]
        elif status == 201:
            self.made.append(f"{path}/{json.loads(received)['id']}")

    async def listed(self, kind: str = "Users") -> dict[str, Any]:
        """Every account or group by its name, read without the proxy.

        A server that shows the same page for ever is asked for each of those that were created.
        """
        found: dict[str, Any] = {}
        name = "userName" if kind == "Users" else "displayName"

        def note(resources: Iterable[Any]) -> int:
            before = len(found)
            for one in resources:
                assert found.setdefault(one[name], one)["id"] == one["id"], "there twice"
            return len(found) - before

        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"}) as session:
            total, news = 1, 1
            while news and len(found) < total:
                query = {"startIndex": str(len(found) + 1), "count": "100"}
                async with session.get(f"{self.upstream}{self.path}/{kind}", params=query) as response:
                    page = await response.json(content_type=None)
                total, news = page["totalResults"], note(page.get("Resources", []))
            for path in self.made if len(found) < total else []:
                if path.startswith(f"/{kind}/"):
                    async with session.get(f"{self.upstream}{self.path}{path}") as response:
                        note([await response.json(content_type=None)] if response.status == 200 else [])
        assert len(found) == total
        return {key: one for key, one in found.items() if not key.endswith("@sandbox.example")}

    async def ask(self, method: str, path: str, body: Any = None) -> int:
        """A change that somebody else makes in the application, without the proxy."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/scim+json"}
        data = json.dumps(body) if body is not None else None
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.upstream}{self.path}{path}", data=data) as answer,
        ):
            await answer.read()
            return answer.status


@dataclass
class Stage:
    context: Context
    wires: Mapping[str, Wire]
    file: Path
    people: dict[str, Mapping[str, str]] = field(default_factory=dict)
    columns: Sequence[str] = HEADER

    async def have(self, people: Iterable[Mapping[str, str]]) -> None:
        """Change these people in the file, leave the others unchanged, and import it."""
        self.people |= {one["id"]: one for one in people}
        write_csv(self.file, self.people.values(), columns=self.columns)
        await sources.import_source(self.context, "hr")

    async def cycle(self, app: str, *, full: bool = False) -> Cycle:
        begun = await provisioning.run(self.context, app, full=full)
        return [state async for state in following.follow(self.context, begun)][-1]

    async def settle(self, apps: Sequence[str] = ()) -> None:
        """Run a cycle in every application; afterwards nothing has failed and nothing waits."""
        for app in apps or self.wires:
            cycle = await self.cycle(app)
            now = await status.show_status(self.context, app)
            assert (cycle.counts.get("failed", 0), now.escrowed, now.waiting) == (0, 0, 0), (app, dict(cycle.counts))

    def forget_requests(self) -> None:
        for wire in self.wires.values():
            wire.sent.clear()


@asynccontextmanager
async def open_stage(template: str = "custom-scim", *, scope: str = "assigned") -> AsyncIterator[Stage]:
    """Both applications, connected through *template* and switched on, nobody in them."""
    sandbox = subprocess.Popen(
        [Path(sys.executable).with_name("documo"), "sandbox", "--rate", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert sandbox.stdout is not None
        ready = json.loads(await asyncio.to_thread(sandbox.stdout.readline))
        async with scim2_server() as strict:
            origin = ready["base_url"].removesuffix("/scim/v2")
            wires = {
                DOCUMO: Wire(ready["token"], origin, "/scim/v2"),
                STRICT: Wire(TOKEN_FOR_SCIM2, strict, ""),
            }
            async with stage_with(wires, template, scope=scope) as stage:
                yield stage
    finally:
        sandbox.terminate()
        sandbox.wait(timeout=30)


@asynccontextmanager
async def stage_with(
    wires: Mapping[str, Wire], template: str = "custom-scim", *, scope: str = "assigned"
) -> AsyncIterator[Stage]:
    """The applications behind *wires*, connected through *template* and switched on, with an empty directory."""
    folder = Path(tempfile.mkdtemp(prefix="l2"))
    folder.chmod(0o711)
    try:
        async with _listening(wires), _house(folder, wires) as context:
            write_csv(folder / "data" / "people.csv", [])
            await sources.save_source(
                context, "hr", kind="csv", config={"files": [{"path": str(folder / "data" / "people.csv")}]}
            )
            for app, wire in wires.items():
                await applications.add_application(context, template, name=app)
                await credentials.set_credentials(context, app, tenant_url=wire.url, secret_token=Secret(wire.token))
                await settings_actions.change_settings(context, app, scope=scope, status="on")
            yield Stage(context, wires, folder / "data" / "people.csv")
    finally:
        embedded.remove(folder / "data")
        with contextlib.suppress(OSError):
            folder.rmdir()


@asynccontextmanager
async def _listening(wires: Mapping[str, Wire]) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        for wire in wires.values():
            server = await stack.enter_async_context(serving(wire.handle))
            wire.url = server.origin + wire.path
        yield


@asynccontextmanager
async def _house(folder: Path, wires: Mapping[str, Wire]) -> AsyncIterator[Context]:
    origins = tuple(wire.url.removesuffix("/scim/v2") for wire in wires.values())
    settings = replace(load_settings({}, {"data": folder / "data"}), outbound_allow=origins)
    async with open_house(settings, main=True) as house:
        yield house.context(Actor("test", is_operator=True))
