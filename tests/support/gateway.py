"""A proxy in front of a server. It terminates TLS and records the requests, and it can delay them or be unreachable for a while."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

WAIT_SECONDS = 20.0


@dataclass
class Gateway:
    """One port of this machine. Without a *target* it accepts no connections."""

    tls: ssl.SSLContext | None
    loop: asyncio.AbstractEventLoop
    port: int = 0
    target: int = 0
    _asked: list[bytes] = field(default_factory=list)
    _change: threading.Condition = field(default_factory=threading.Condition)
    _held: dict[bytes, asyncio.Event] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def lead_to(self, url: str) -> None:
        """Accept connections and forward them to the server at *url*."""
        self.target = int(url.rpartition(":")[2])
        self._run(self._listen())

    def go_away(self) -> None:
        """Cut every connection and refuse new ones."""
        self._run(self._close())

    def hold(self, path: str) -> None:
        """Delay all requests for *path* until `release` is called."""
        self._held[path.encode()] = asyncio.Event()

    def release(self, path: str) -> None:
        self.loop.call_soon_threadsafe(self._held.pop(path.encode()).set)

    def until_asked(self, path: str, *, times: int = 1) -> None:
        """Wait until *path* has been requested *times* times."""
        wanted = path.encode()
        with self._change:
            assert self._change.wait_for(
                lambda: sum(wanted in line for line in self._asked) >= times, timeout=WAIT_SECONDS
            ), (path, self._asked)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_SECONDS)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        there: asyncio.StreamWriter | None = None
        try:
            answers, there = await asyncio.open_connection("127.0.0.1", self.target)
            done, rest = await asyncio.wait(
                [asyncio.ensure_future(self._copy(reader, there)), asyncio.ensure_future(self._copy(answers, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for one in (*done, *rest):
                one.cancel()
            await asyncio.gather(*done, *rest, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            for end in (writer, there):
                if end is not None:
                    with suppress(RuntimeError):
                        end.transport.abort()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                line = data.partition(b"\r\n")[0]
                if line.endswith(b"HTTP/1.1"):
                    await self._note(line)
                sink.write(data)
                await sink.drain()

    async def _note(self, line: bytes) -> None:
        with self._change:
            self._asked.append(line)
            self._change.notify_all()
        for path, may_go in list(self._held.items()):
            if path in line:
                await may_go.wait()


@contextmanager
def gateway(url: str = "", *, tls: ssl.SSLContext | None = None) -> Iterator[Gateway]:
    """Run a gateway during the block. With *url*, it forwards to that server from the start."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    made = Gateway(tls, loop)
    try:
        if url:
            made.lead_to(url)
        yield made
    finally:
        made.go_away()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
