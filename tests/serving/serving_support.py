"""A server with small limits, an application that reports the requests it got, and a client that sends raw bytes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from lockstep.serving.bodies import App, AsgiScope, AsgiSend, Receive, read_body
from lockstep.serving.connections import Connections
from lockstep.serving.limits import ServingLimits
from lockstep.serving.server import listen, serving_http

PATIENCE = 10.0  # seconds; only a test that fails waits so long


@dataclass
class Echo:
    """Answers with the request it received, and remembers it; while *gate* is closed no answer is sent."""

    largest: int = 1_000_000
    asked: list[dict[str, Any]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    answer: bytes = b""

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        self.arrived.set()
        headers = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
        if scope["path"] == "/unread":
            body = b""
        else:
            body = await read_body(receive, scope["headers"], self.largest)
        told = {"method": scope["method"], "path": scope["path"], "headers": headers, "body": body.decode("latin-1")}
        told["client"] = scope["client"][0]
        self.asked.append(told)
        await self.gate.wait()
        text = self.answer or json.dumps(told).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
        await send({"type": "http.response.body", "body": text})


@dataclass
class Served:
    port: int
    registry: Connections

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def exchange(self, *sent: bytes) -> bytes:
        """Everything received until the server closes."""
        async with self.connection() as (reader, writer):
            for part in sent:
                writer.write(part)
                await writer.drain()
            return await asyncio.wait_for(reader.read(), PATIENCE)


@asynccontextmanager
async def server(app: App, **limits: Any) -> AsyncIterator[Served]:
    listener = listen("127.0.0.1", 0, next_step="")
    port = int(listener.getsockname()[1])
    async with serving_http(app, listener, limits=ServingLimits(**limits)) as registry:
        yield Served(port, registry)


def get(path: str = "/", *lines: str, last: bool = True) -> bytes:
    """A request without a body; the connection closes after the *last* one."""
    more = [*lines, "Connection: close"] if last else lines
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *more, "", ""]).encode()


def post(path: str = "/", *lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode() + body


def statuses(answers: bytes) -> list[int]:
    """The status of each answer, in order."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]
