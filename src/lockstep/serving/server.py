"""Run uvicorn on our own socket, with our limits and without its signal handlers, log and lifespan."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from lockstep.errors import conflict
from lockstep.serving.bodies import App, AsgiScope, AsgiSend, Receive
from lockstep.serving.connections import Connections
from lockstep.serving.limits import ServingLimits
from lockstep.serving.protocol import Render, finish_early, protocol_for
from lockstep.serving.refusals import Refusal

BACKLOG = 2048


def listen(host: str, port: int, *, next_step: str) -> socket.socket:
    """Open a listening socket; port 0 gives any free port. Raises LockstepError, with *next_step*, if it cannot listen on the port."""
    # Name the protocol, because asyncio sets TCP_NODELAY only then. Without it, responses in several parts wait 40 ms for the client.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as refused:
        listener.close()
        raise conflict(
            f"Cannot listen on {host}:{port}", why=refused.strerror or str(refused), next_step=next_step
        ) from refused
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def plain_text(refusal: Refusal) -> tuple[bytes, bytes]:
    """Render a refusal as plain text."""
    return b"text/plain; charset=utf-8", f"{refusal.detail}\n".encode()


@asynccontextmanager
async def serving_http(
    app: App, listener: socket.socket, *, limits: ServingLimits, render: Render = plain_text
) -> AsyncIterator[Connections]:
    """Serve *app* for the duration of the block. At its end, requests in progress get `stop_seconds` to finish, and *listener* is closed.

    If a request is refused before *app* sees it, *render* creates the media type and the body of the response.
    """
    registry = Connections(limits)
    server = _Server(_config(app, registry, render))
    watch = asyncio.create_task(registry.watch(), name="connections")
    serve = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        started = asyncio.create_task(server.listening.wait())
        await asyncio.wait([serve, started], return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if serve.done():
            await serve
            raise conflict(
                "The HTTP server stopped before it was ready",
                next_step="Start it again. If it stops again, read its log",
            )
        yield registry
    finally:
        server.stop()
        await asyncio.gather(serve, return_exceptions=True)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        listener.close()


def _config(app: App, registry: Connections, render: Render) -> uvicorn.Config:
    limits = registry.limits

    async def stopping_early(scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            # Requests are cancelled only when the server stops; a request that is cancelled then still gets a response.
            await finish_early(send, render(Refusal(503, "The service is stopping. Try again in a moment.")))

    return uvicorn.Config(
        stopping_early, loop="none", http=protocol_for(registry, render), ws="none", lifespan="off", log_config=None,
        access_log=False, server_header=False, date_header=True, timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]
        timeout_graceful_shutdown=limits.stop_seconds,  # type: ignore[arg-type]
        proxy_headers=bool(limits.trusted_proxies), forwarded_allow_ips=list(limits.trusted_proxies),
    )  # fmt: skip


class _Server(uvicorn.Server):
    """A server that installs no signal handlers and stops at once. (uvicorn checks only every tenth of a second whether to stop.)"""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        ticks, stop = asyncio.ensure_future(super().main_loop()), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([ticks, stop], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ticks.cancel()
            stop.cancel()
            await asyncio.gather(ticks, stop, return_exceptions=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for one in (*self.servers, *(sockets or ())):
            one.close()
        for server in self.servers:
            await server.wait_closed()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
