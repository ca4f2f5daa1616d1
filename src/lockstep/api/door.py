"""The steps that every route performs: identify the caller, check that a form comes from our own pages, turn errors into problems, and set
the headers of the response.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import orjson
import psycopg
import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.routing import APIRoute
from structlog.contextvars import bound_contextvars

from lockstep.actions.access_tokens import caller_of_token
from lockstep.actions.callers import Caller
from lockstep.actions.context import NOT_SIGNED_IN, Context, ContextOf
from lockstep.actions.sign_in import caller_of_session
from lockstep.api.conditions import if_match
from lockstep.api.fields import with_fields
from lockstep.api.problems import ApiError, Problem, of_validation, problem_of, problem_response, refused
from lockstep.api.repeats import once
from lockstep.errors import Kind, LockstepError, release_frames
from lockstep.kit import csrf
from lockstep.kit.bodies import limited_receive, require_no_nul
from lockstep.kit.cookies import cookie_in
from lockstep.kit.tracing import log_fields, request_id_of, trace_id_of
from lockstep.process.bug_report import as_error

SESSION_COOKIE = "lockstep_session"
MOST_BYTES = 2 * 1024 * 1024
_MANY_DIGITS, _MOST_DIGITS = re.compile(rb"\d{19}"), 40
log = structlog.get_logger("lockstep.api")


class Desk:
    """Identifies the caller. A token takes precedence over a cookie, because a browser sends cookies automatically."""

    def __init__(self, contexts: ContextOf) -> None:
        self._contexts = contexts

    def context(self, caller: Caller) -> Context:
        return self._contexts(caller.actor)

    def nobody(self) -> Context:
        return self._contexts(NOT_SIGNED_IN)

    async def caller(self, request: Request) -> Caller:
        """Return the caller of *request*. Raises ApiError if there is none, and LockstepError for a form that does not come from our own
        pages.
        """
        nobody = self.nobody()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme:
            caller = await caller_of_token(nobody, token.strip()) if scheme.lower() == "bearer" else None
            if caller is None:
                raise _unknown("The token is unknown, expired or revoked")
            return caller
        secret = cookie_in(request, SESSION_COOKIE)
        caller = await caller_of_session(nobody, secret) if secret else None
        if caller is None:
            raise _unknown("The request has no token" if not secret else "The session has ended")
        if request.method not in csrf.SAFE_METHODS:
            csrf.require_same_origin(request.headers, scheme=request.url.scheme)
            csrf.require_token(request.headers.get(csrf.HEADER, ""), caller.csrf_secret)
        return caller

    async def is_still_known(self, request: Request) -> bool:
        """Whether the caller of a long-running request still has a valid token or session."""
        try:
            await self.caller(request)
        except LockstepError:
            return False
        return True


def _unknown(detail: str) -> ApiError:
    return ApiError(
        Kind.UNAUTHORIZED,
        detail,
        next_step="Create a token (lockstep token create NAME --scope directory.read) and send it as Authorization: Bearer TOKEN",
        slug="not-authenticated",
    )


class DoorRoute(APIRoute):
    """A route that performs the steps of this module. *most_bytes* is the size limit of the body. If *takes_json* is true, the body must be
    valid JSON, which is checked before the action is called. If *needs_caller* is false, the request needs no token and no session.
    """

    most_bytes = MOST_BYTES
    takes_json = True
    needs_caller = True

    @property
    def honours_if_match(self) -> bool:
        return any(one.call is if_match for one in self.dependant.dependencies)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        honours = self.honours_if_match

        async def handle(request: Request) -> Response:
            begin(request)
            with bound_contextvars(**log_fields(request.state.request_id, trace_id_of(request.headers))):
                return await handle_logged(request)

        async def handle_logged(request: Request) -> Response:
            try:
                if not honours and request.method not in csrf.SAFE_METHODS and "if-match" in request.headers:
                    raise refused(
                        "invalid-request",
                        "This address does not support If-Match",
                        next_step="Send the request without it",
                    )
                request._receive = limited_receive(request.receive, request.headers, self.most_bytes)
                desk: Desk = request.app.state.desk
                if not self.needs_caller:
                    request.state.context = desk.nobody()
                    await _refuse_unstorable(request, takes_json=self.takes_json)
                    return finished(request, await answer(request))
                request.state.caller = caller = await desk.caller(request)
                rate = request.app.state.rates.count(caller.key)
                request.state.rate = rate.headers
                rate.require()
                request.state.context = desk.context(caller)
                await _refuse_unstorable(request, takes_json=self.takes_json)
                response = with_fields(await once(request, request.state.context, answer), request.state.fields)
            except Exception as fault:
                response = failed(request, fault)
            return finished(request, response)

        return handle


def router_of(*tags: str, route_class: type[DoorRoute] = DoorRoute) -> APIRouter:
    """Create a router for routes of *route_class*. The application takes over the routes as they are and adds no settings of its own, so
    each route must be declared completely.
    """
    return APIRouter(route_class=route_class, tags=list(tags), generate_unique_id_function=lambda route: route.name)


def begin(request: Request) -> None:
    request.state.request_id = request_id_of(request.headers)
    request.state.headers, request.state.rate, request.state.fields = {}, {}, frozenset()


def finished(request: Request, response: Response) -> Response:
    """Add the headers that every response has. Caches must not store any response of the API."""
    if response.status_code < 400:
        response.headers.update(request.state.headers)
    response.headers.update(request.state.rate)
    response.headers["X-Request-Id"] = request.state.request_id
    response.headers["Cache-Control"] = "no-store"
    return response


def failed(request: Request, fault: Exception) -> Response:
    """Return the response for *fault*."""
    error = _shown(request, fault)
    operation = getattr(request.scope.get("route"), "name", "")
    response = problem_response(
        error, request_id=request.state.request_id, instance=request.url.path, operation=operation
    )
    release_frames(fault)
    return response


def as_problem(request: Request, fault: Exception) -> Problem:
    """Return the problem for *fault*. Used if the response to the request has already begun or ended, and the problem can therefore no
    longer be the response itself.
    """
    error = _shown(request, fault)
    release_frames(fault)
    return problem_of(error, request_id=request.state.request_id, instance=request.url.path)


def _shown(request: Request, fault: Exception) -> LockstepError:
    """Return the error to show for *fault*. For an unexpected fault, the caller sees no details; the log has them."""
    if isinstance(fault, LockstepError):
        error = fault
    elif isinstance(fault, RequestValidationError):
        error = of_validation(fault)
    elif isinstance(fault, HTTPException):
        error = refused("invalid-request", str(fault.detail))
    elif isinstance(fault, psycopg.DataError | UnicodeEncodeError):
        error = refused("invalid-request", "A value of the request cannot be stored or compared")
    else:
        error = as_error(fault)
        log.error("request_failed", path=request.url.path, fault=type(fault).__name__, next=error.next_step)
    return error


class FrontRoute(DoorRoute):
    """A route that needs no caller, such as sign-in."""

    needs_caller = False


async def _refuse_unstorable(request: Request, *, takes_json: bool) -> None:
    """Raise LockstepError for a request with a value that cannot be stored: invalid JSON, a NUL character, or a number with more than 64
    bits. The check comes before the action is called.
    """
    given = (one for pair in request.query_params.multi_items() for one in pair)
    require_no_nul([request.scope["path"], *given], of="address")
    if not takes_json or not request.headers.get("content-type", "").partition(";")[0].strip().lower().endswith("json"):
        return
    body = await request.body()
    try:
        value = orjson.loads(body) if body else None
    except orjson.JSONDecodeError as wrong:
        raise refused("invalid-request", f"The body is not valid JSON: {str(wrong).partition(':')[0]}") from None
    if b"\\u0000" in body and _has_nul(value):
        raise refused("invalid-request", "The body contains a NUL character")
    if _MANY_DIGITS.search(body) and _has_wide_number(json.loads(body, parse_int=_int)):
        raise refused("invalid-request", "The body contains a number with more than 64 bits")


def _int(digits: str) -> int:
    return int(digits[:_MOST_DIGITS])


def _has_wide_number(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_wide_number, value.values()))
    if isinstance(value, list):
        return any(map(_has_wide_number, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(one) for key, one in value.items())
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\0" in value


def _context(request: Request) -> Context:
    context: Context = request.state.context
    return context


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Asked = Annotated[Context, Depends(_context)]
Who = Annotated[Caller, Depends(_caller)]
