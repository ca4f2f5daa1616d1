"""ETag and If-Match (RFC 9110, section 13): a change is refused if the state has changed since the caller read it."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Header, Request

from lockstep.actions.context import Context
from lockstep.api.problems import refused

Result = TypeVar("Result")
ReadState = Callable[[Context], Awaitable[Any]]
RequestWork = Callable[[Context], Awaitable[Result]]
_MEANING = "The ETag of the version that you have read; the change is refused if that version is no longer current"


def etag(value: Any) -> str:
    digest = hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()
    return f'"{digest[:24]}"'


def tagged(request: Request, value: Result, *, state: Any = None) -> Result:
    """Return *value* unchanged, and set the ETag of the response. *state* is the part of *value* that the ETag identifies. If *state* is
    not given, the ETag identifies the whole value.
    """
    request.state.headers["ETag"] = etag(value if state is None else state)
    return value


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The header If-Match of a request. Only routes with a parameter of this type accept the header; the others refuse it."""

    given: str

    def matched(self, read: ReadState, work: RequestWork[Result], *, is_needed: bool = False) -> RequestWork[Result]:
        """Return a function that checks If-Match and then does *work*, both in one transaction. The function raises ApiError if If-Match is
        given and does not match the state that *read* returns. Without If-Match, it only does *work*.

        *is_needed* is true if the request replaces a whole document. The function then also raises ApiError if If-Match is missing.
        """

        async def checked(context: Context) -> Result:
            if not self.given:
                if is_needed:
                    raise refused("precondition-required", "If-Match is required, because this replaces the whole list",
                                  next_step="Read the list first, and send its ETag in If-Match")  # fmt: skip
                return await work(context)
            async with context.together() as inner:
                await self.require(inner, read)
                return await work(inner)

        return checked

    async def require(self, context: Context, read: ReadState) -> None:
        """Raise ApiError if If-Match is given and does not match the state that *read* returns.

        Use this instead of `matched` in routes whose work sends requests to applications. With `matched`, these requests would be sent
        inside a transaction.
        """
        wanted = {one.strip().removeprefix("W/") for one in self.given.split(",")}
        if self.given and "*" not in wanted and etag(await read(context)) not in wanted:
            raise refused(
                "precondition-failed",
                "The object was changed after you read it",
                next_step="Read it again, then repeat the change",
            )


def if_match(given: Annotated[str, Header(alias="If-Match", max_length=200, description=_MEANING)] = "") -> IfMatch:
    return IfMatch(given.strip())


Unchanged = Annotated[IfMatch, Depends(if_match)]
