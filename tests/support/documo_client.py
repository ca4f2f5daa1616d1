"""A client of a Documo that serves HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from documo.access.api_keys import create_key
from documo.accounts import TenantAccount, create_account
from documo.server import RunningServer, serving
from documo.settings import DocumoSettings
from documo.store.database import Store

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Any
    raw: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw) if self.raw else None

    @property
    def ids(self) -> list[str]:
        return [resource["id"] for resource in self.body["Resources"]]


@dataclass(frozen=True)
class Client:
    """One key of one account."""

    session: aiohttp.ClientSession
    url: str
    token: str
    account: TenantAccount
    store: Store

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
        **query: str,
    ) -> Reply:
        given = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/scim+json", **(headers or {})}
        data = raw if raw is not None else orjson.dumps(body) if body is not None else None
        url = path if path.startswith("http") else self.url + path
        async with self.session.request(method, url, data=data, headers=given, params=query or None) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, **query: Any) -> Reply:
        return await self.send("GET", path, **query)

    async def find(self, filter: str, path: str = "/Users") -> Reply:
        return await self.send("GET", path, filter=filter)

    async def patch(self, path: str, *operations: dict[str, Any], **more: Any) -> Reply:
        return await self.send("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **more)

    async def user(self, name: str, /, **attributes: Any) -> str:
        reply = await self.send("POST", "/Users", {"schemas": [USER], "userName": name, **attributes})
        assert reply.status == 201, reply.raw
        return str(reply.body["id"])

    async def group(self, name: str, *members: str) -> str:
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": member} for member in members]}
        reply = await self.send("POST", "/Groups", body)
        assert reply.status == 201, reply.raw
        return str(reply.body["id"])

    async def member_ids(self, group: str) -> set[str]:
        return {member["value"] for member in (await self.get(f"/Groups/{group}")).body["members"]}


class Documo:
    """A running service. `client` creates an account and returns a client with an Admin key."""

    def __init__(self, store: Store, running: RunningServer, session: aiohttp.ClientSession) -> None:
        self.store = store
        self.running = running
        self.session = session

    async def client(self, name: str = "Contoso", *, scopes: tuple[str, ...] = ("admin",), **settings: Any) -> Client:
        limits = {"rate_per_second": 0, **settings}
        account = await create_account(self.store, name, admin=f"admin@{name.lower()}.example", settings=limits)
        key = await create_key(self.store, account.id, scopes=scopes)
        return Client(self.session, self.running.scim_url, key.secret, account, self.store)


@asynccontextmanager
async def documo_on(store: Store, **settings: Any) -> AsyncIterator[Documo]:
    async with serving(store, DocumoSettings(Path(), port=0, **settings)) as running:
        connector = aiohttp.TCPConnector(limit=200)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Documo(store, running, session)
