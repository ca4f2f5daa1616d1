"""Read the body of a request, never more of it than was agreed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class BodyTooLarge(Exception):
    """The body is larger than *limit* bytes. What is left of it is discarded by the connection."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body has more than {limit:,} bytes, which is the most that is read here.")


class BodyCutShort(Exception):
    """The client went away, or was sent away, before the body was complete."""

    def __init__(self) -> None:
        super().__init__("The body ended early.")


async def read_body(receive: Receive, headers: Iterable[tuple[bytes, bytes]], limit: int) -> bytes:
    """The body of a request. Raises BodyTooLarge as soon as it is known to be larger than *limit*, and BodyCutShort.

    A declared length is believed only when it is too large: such a body is refused unread.
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
