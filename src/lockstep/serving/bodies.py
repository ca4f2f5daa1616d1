"""Read the body of a request, up to a limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

AsgiScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
AsgiSend = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[AsgiScope, Receive, AsgiSend], Awaitable[None]]


class BodyTooLarge(Exception):
    """Raised if the body exceeds *limit* bytes. The connection discards the rest."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body has more than {limit:,} bytes, which is over the limit.")


class BodyCutShort(Exception):
    """Raised if the client or a deadline ended the connection before the body was complete."""

    def __init__(self) -> None:
        super().__init__("The body ended early.")


async def read_body(receive: Receive, headers: Iterable[tuple[bytes, bytes]], limit: int) -> bytes:
    """Read the body of a request. Raises BodyCutShort if the body ends early, and BodyTooLarge as soon as it is known to exceed *limit*.

    If the declared length exceeds the limit, nothing is read. A smaller declared length is not trusted.
    """
    declared = next((value for name, value in headers if name == b"content-length"), b"")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(limit)
    parts: list[bytes] = []
    size, has_more = 0, True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyCutShort
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise BodyTooLarge(limit)
        has_more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)
