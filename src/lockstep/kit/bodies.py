"""Limit the content of a request. The size of the body is checked while the body arrives. Strings that cannot be stored are refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.types import Message, Receive

from lockstep.errors import LockstepError, invalid


def limited_receive(receive: Receive, headers: Mapping[str, str], limit: int) -> Receive:
    """Wrap *receive* so that it raises LockstepError if the body exceeds *limit* bytes. Raises LockstepError at once if the header
    Content-Length exceeds *limit*.
    """
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    size = 0

    async def receive_some() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise _too_large(limit)
        return message

    return receive_some


def require_no_nul(texts: Iterable[str], *, of: str) -> None:
    """Raise LockstepError if one of the strings in *texts* contains NUL, which PostgreSQL can neither store nor compare."""
    if any("\0" in one for one in texts):
        raise invalid(f"The {of} contains a NUL character", next_step="Remove it")


def _too_large(limit: int) -> LockstepError:
    return invalid(f"The form is larger than {limit // 1024:,} kB", next_step="Send less data", code="TooLarge")
