"""The end of a connection: the last response must arrive before the connection closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LastAnswer(asyncio.Transport):
    """The transport for the last response of a connection.

    Its method `close` does not close the connection but calls the given function. That function closes the connection after the client has
    read the response.
    """

    __slots__ = ("_close", "_transport")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self._close = close

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
