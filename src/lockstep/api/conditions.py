"""ETag and If-Match (RFC 9110, section 13): a change is made to what the caller has read, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
from fastapi import Request

from lockstep.actions.context import Context
from lockstep.api.problems import refused

Answer = TypeVar("Answer")
Read = Callable[[Context], Awaitable[Any]]
Work = Callable[[Context], Awaitable[Answer]]


def etag(value: Any) -> str:
    digest = hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()
    return f'"{digest[:24]}"'


def tagged(request: Request, value: Answer, *, state: Any = None) -> Answer:
    """Return *value*, with an ETag on the response. *state*: what the ETag identifies, if *value* contains other things as well."""
    request.state.headers["ETag"] = etag(value if state is None else state)
    return value


def matched(request: Request, read: Read, work: Work[Answer], *, is_needed: bool = False) -> Work[Answer]:
    """Do *work*, in one transaction with the check of If-Match. Refuses if If-Match is given and differs from the state that *read*
    returns. *is_needed*: If-Match is required, because the request replaces a whole document.
    """
    given = request.headers.get("if-match", "").strip()

    async def checked(context: Context) -> Answer:
        if not given:
            if is_needed:
                raise refused("precondition-required", "This replaces the whole list, so If-Match is needed",
                              next_step="Read it first, and send its ETag in If-Match")  # fmt: skip
            return await work(context)
        async with context.together() as inner:
            wanted = {one.strip().removeprefix("W/") for one in given.split(",")}
            if "*" not in wanted and etag(await read(inner)) not in wanted:
                raise refused(
                    "precondition-failed",
                    "Somebody has changed it since you read it",
                    next_step="Read it again, and repeat the change",
                )
            return await work(inner)

    return checked
