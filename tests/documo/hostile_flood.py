"""A flood of hostile requests to a Documo in a separate process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import orjson
from yarl import URL

from documo.testing import Sandbox
from tests.documo.hostile_requests import Hostile, HostileRequest
from tests.support.documo_client import USER

CLIENTS = 200  # responses to wrong credentials are delayed up to two seconds, so many must be under way at once


class Flood:
    """Sends hostile requests to a Documo in a separate process and measures its memory."""

    def __init__(self, server: Sandbox, seed: int) -> None:
        self._server = server
        self._hostile = Hostile(seed)
        self._left = 0
        self._user = ""
        self.sent = 0
        self.unanswered = 0  # cut off, or for a minute
        self.server_errors: list[tuple[int, str]] = []

    async def run(self, requests: int) -> int:
        """Send that many more requests; returns the resident memory afterwards, in MB."""
        self._left = requests
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS), timeout=timeout) as session:
            self._user = await self._create_user(
                session
            )  # a new one each time: a resource patched many times becomes large and slow
            async with asyncio.TaskGroup() as clients:
                for _ in range(min(CLIENTS, requests)):
                    clients.create_task(self._client(session))
        return self.memory_mb()

    def memory_mb(self) -> int:
        """VmRSS of the process, in MB."""
        status = Path(f"/proc/{self._server.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) // 1024

    async def _client(self, session: aiohttp.ClientSession) -> None:
        while self._left > 0:
            self._left -= 1
            request = self._hostile.draw()
            try:
                async with session.request(
                    request.method, self._url(request), data=request.body, headers=self._headers(request)
                ) as response:
                    await response.read()
                    if response.status >= 500:
                        self.server_errors.append((response.status, request.path[:60]))
            except (aiohttp.ClientError, TimeoutError):
                self.unanswered += 1
            self.sent += 1

    def _url(self, request: HostileRequest) -> URL:
        base = self._server.base_url
        if request.path.startswith("//"):
            return URL(base.removesuffix("/scim/v2") + request.path[1:], encoded=True)
        return URL(base + request.path.replace("/*", f"/{self._user}", 1), encoded=True)

    def _headers(self, request: HostileRequest) -> dict[str, str]:
        key = {"Authorization": f"Bearer {self._server.token}"} if request.has_key else {}
        return {"Content-Type": "application/scim+json", **key, **request.headers}

    async def _create_user(self, session: aiohttp.ClientSession) -> str:
        body = orjson.dumps({"schemas": [USER], "userName": f"target{self.sent}@x.example"})
        async with session.post(
            f"{self._server.base_url}/Users", data=body, headers=self._headers(HostileRequest("POST", ""))
        ) as response:
            return str(orjson.loads(await response.read())["id"])
