"""uvicorn's HTTP protocol, with each answer sent in one write.

uvicorn writes the head of an answer and its body apart, and every write is a system call that wakes the client. The head is held back
until the first part of the body is there; what closes the connection sends it first.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_CONTINUE = b"HTTP/1.1 100 "


class OneWriteProtocol(HttpToolsProtocol):
    """One connection."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        cycle = self.cycle
        # The answer to HEAD has no body that could take its head along; an upgrade has no cycle of its own.
        if cycle is not None and cycle.scope is self.scope and self.scope["method"] != "HEAD":
            cycle.transport = OneWrite(self.transport)


class OneWrite(asyncio.Transport):
    """The transport as the answer to one request sees it."""

    __slots__ = ("_began", "_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._began = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif not self._began and bytes(data[: len(_CONTINUE)]) != _CONTINUE:
            self._began, self._head = True, bytes(data)
            return
        self._transport.write(data)

    def close(self) -> None:
        self._send_head()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _send_head(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)
