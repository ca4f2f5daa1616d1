"""Idempotency-Key on POST: a repeated request gets the first response, marked by `Idempotency-Replayed: true`."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from lockstep.actions.context import Context
from lockstep.actions.repeated_requests import FirstAnswer, claim_key, free_key, keep_answer
from lockstep.api.problems import refused

HEADER = "idempotency-key"
_MOST = 200  # characters
_KEPT_HEADERS = ("location", "etag", "retry-after", "content-type")


async def once(request: Request, context: Context, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Call *answer* and return its response. If the request has the Idempotency-Key of an earlier request, return the response to that
    earlier request instead.
    """
    key = request.headers.get(HEADER, "").strip()
    if request.method != "POST" or not key:
        return await answer(request)
    if len(key) > _MOST or not key.isprintable():
        raise refused(
            "invalid-request", f"An Idempotency-Key must have at most {_MOST} characters, all of them printable"
        )
    known = await claim_key(context, key, await _digest(request))
    if known is not None:
        return Response(known.body, known.status, {**known.headers, "Idempotency-Replayed": "true"})
    try:
        response = await answer(request)
    except BaseException:
        await free_key(context, key)
        raise
    if response.status_code >= 400 or isinstance(response, StreamingResponse):  # streams are not stored
        await free_key(context, key)
        return response
    given = {**dict(response.headers), **{name.lower(): value for name, value in request.state.headers.items()}}
    headers = {name: given[name] for name in _KEPT_HEADERS if name in given}
    await keep_answer(context, key, FirstAnswer(response.status_code, headers, bytes(response.body)))
    return response


async def _digest(request: Request) -> bytes:
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    # Two tokens may have the same name, but neither may get a response that was made for the other.
    digest.update(f"{request.headers.get('authorization', '')}\n{request.headers.get('cookie', '')}\n".encode())
    digest.update(await request.body())
    return digest.digest()
