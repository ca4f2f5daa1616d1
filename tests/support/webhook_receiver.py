"""A receiver of webhooks over real HTTP. It stores the requests that it gets and answers as a test specifies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Received:
    """One request: its headers in lower case, and its body."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class WebhookReceiver:
    """Answers every request with *status*. If that is a redirect, its target is *location*."""

    url: str = ""
    status: int = 204
    location: str = ""
    received: list[Received] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.received.append(
            Received({name.lower(): value for name, value in request.headers.items()}, await request.read())
        )
        return web.Response(status=self.status, headers={"Location": self.location} if self.location else {})


@asynccontextmanager
async def webhook_receiver() -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    runner = web.ServerRunner(web.Server(receiver.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    receiver.url = f"http://127.0.0.1:{port}/hooks/T0-very-secret"
    try:
        yield receiver
    finally:
        await runner.cleanup()
