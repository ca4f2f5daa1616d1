"""Poll-based delivery of SETs (RFC 8936): the receiver fetches events, and acknowledges them with its next request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse

from documo.access import scopes
from documo.access.api_access import api_refusal
from documo.access.sign_ins import RefusedSignIns
from documo.events.streams import EventKeys, claims
from documo.identifiers import read_id
from documo.members import ADMIN
from documo.scim_service.request.failures import Throttled, retry_after, scim_error
from documo.scim_service.tenant.tenants import TenantCaller, Tenants
from documo.security_events import StreamEvent
from documo.store import events as table
from documo.store.database import Store
from documo.store.events import StreamRow
from lockstep.errors import release_frames
from lockstep.scim.errors import ScimError, invalid_syntax, too_large
from lockstep.serving.bodies import BodyCutShort, BodyTooLarge, read_body

MOST_EVENTS = 100
WAIT_SECONDS = 20.0
LOOK_SECONDS = 0.25
LARGEST_BODY = 100_000
MOST_ACKS = 1_000


def poll_endpoint(
    store: Store, tenants: Tenants, keys: EventKeys, issuer: str, refused: RefusedSignIns
) -> Callable[[Request], Awaitable[JSONResponse]]:
    """Return the endpoint `/events/{stream}`."""

    async def poll(request: Request) -> JSONResponse:
        try:
            return await answer(request)
        except Exception as error:
            refusal = _error(scim_error(error, method=request.method))
            release_frames(error)
            return refusal

    async def answer(request: Request) -> JSONResponse:
        try:
            caller = await _caller(request, tenants)
            wanted = _wanted(await read_body(request.receive, request.headers.raw, LARGEST_BODY))
        except ScimError as error:
            if error.status == 401 and "authorization" in request.headers:
                await refused.note(_token(request), request.scope, "/events")
            return _error(error)
        except BodyTooLarge as error:
            return _error(too_large(str(error)))
        except BodyCutShort as error:
            return _error(invalid_syntax(str(error)))
        stream_id = read_id(request.path_params["stream"])
        async with store.control() as connection:
            stream = await table.stream(connection, caller.tenant.id, stream_id) if stream_id else None
            if stream is not None and stream.delivery == "poll" and wanted.done:
                await table.acknowledge(connection, stream.id, wanted.done)
        if stream is None or stream.delivery != "poll":
            return _error(ScimError(404, "", "There is no polled stream with this id."))
        found = await _waiting(store, stream, wanted)
        events, more = found[: wanted.most], len(found) > wanted.most
        sets = {one.jti: keys.signer.sign(claims(one, stream, caller.tenant.registry, issuer)) for one in events}
        return JSONResponse({"sets": sets, **({"moreAvailable": True} if more else {})})

    return poll


class _Wanted:
    """A poll request (RFC 8936, section 2.2). *done* has the ids of the events that need not be sent again."""

    def __init__(self, body: dict[str, Any]) -> None:
        most, at_once = body.get("maxEvents", MOST_EVENTS), body.get("returnImmediately", False)
        acks, errors = body.get("ack", []), body.get("setErrs", {})
        if not isinstance(most, int) or isinstance(most, bool) or most < 0:
            raise ScimError(400, "invalidValue", "maxEvents must be an integer, 0 or more.")
        if not isinstance(at_once, bool):
            raise ScimError(400, "invalidValue", "returnImmediately must be true or false.")
        if not isinstance(acks, list) or not isinstance(errors, dict) or len(acks) + len(errors) > MOST_ACKS:
            raise ScimError(400, "invalidValue", f"ack must be a list, setErrs an object; at most {MOST_ACKS} events.")
        self.most = min(most, MOST_EVENTS)
        self.at_once = at_once
        # Resending an event that the receiver cannot parse does not help.
        self.done = [known for one in [*acks, *errors] if isinstance(one, str) and (known := read_id(one))]


def _wanted(body: bytes) -> _Wanted:
    try:
        given = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise ScimError(400, "invalidSyntax", "The body is not valid JSON.") from None
    if not isinstance(given, dict):
        raise ScimError(400, "invalidSyntax", "The body must be a JSON object.")
    return _Wanted(given)


async def _waiting(store: Store, stream: StreamRow, wanted: _Wanted) -> list[StreamEvent]:
    """Return the waiting events, at most `wanted.most` plus one. The extra event shows that more are waiting. If `wanted.most` is 0, return
    an empty list immediately.

    If no event is waiting, wait up to WAIT_SECONDS for the next one. If `wanted.at_once` is true, do not wait.
    """
    if not wanted.most:
        return []
    loop = asyncio.get_running_loop()
    until = loop.time() + (0.0 if wanted.at_once else WAIT_SECONDS)
    while True:
        async with store.control() as connection:
            found = await table.waiting(connection, stream.id, limit=wanted.most + 1)
        if found or loop.time() >= until:
            return found
        await asyncio.sleep(LOOK_SECONDS)


def _token(request: Request) -> bytes:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip().encode("utf-8", "replace") if scheme.lower() == "bearer" else b""


async def _caller(request: Request, tenants: Tenants) -> TenantCaller:
    given = _token(request)
    caller = await tenants.caller(given) if given else None
    if caller is None:
        raise ScimError(401, "", "Send an API key: Authorization: Bearer <key>.")
    if refusal := api_refusal(caller.tenant.account):
        raise ScimError(403, "", refusal)
    wait = caller.tenant.bucket.take()
    if wait:
        raise Throttled("Too many requests", wait)
    if caller.principal.role != ADMIN or not caller.principal.scopes & {scopes.READ, scopes.ADMIN}:
        raise ScimError(403, "", f"Only an Admin's key with the scope {scopes.READ} may poll events.")
    return caller


def _error(error: ScimError) -> JSONResponse:
    headers = {"WWW-Authenticate": 'Bearer realm="Documo"'} if error.status == 401 else {}
    if seconds := retry_after(error):
        headers = {"Retry-After": str(seconds)}
    return JSONResponse(error.error_body(), error.status, headers)
