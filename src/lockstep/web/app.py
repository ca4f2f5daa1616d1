"""The admin centre as an ASGI application: session, form check, page function, response; errors become pages.

Every POST is checked before its function is called: it comes from a page of ours, and carries the token of its session.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lockstep.actions.context import Actor, Context
from lockstep.actions.live import LiveHub
from lockstep.actions.permissions import StepUpRequired
from lockstep.errors import Kind, LockstepError, release_frames
from lockstep.kit import csrf
from lockstep.kit.assets import Assets
from lockstep.kit.bodies import limited_receive
from lockstep.kit.headers import SecurityHeaders
from lockstep.kit.page_errors import page_error, plain_page_error
from lockstep.process.bug_report import as_error
from lockstep.web import callers
from lockstep.web.frame import Frames
from lockstep.web.header import Headers
from lockstep.web.live import live_route
from lockstep.web.page import PageRoute, all_pages
from lockstep.web.rendering import Renderer, Site

log = structlog.get_logger("lockstep.web")

Contexts = Callable[[Actor], Context]
BUILT = Path(__file__).parent / "built"
COMPRESSED_FROM = 1_000  # bytes
_REPORT = "Try again. If it happens again, report it with the number below: the server's log has the details"


def admin_app(
    contexts: Contexts, *, site: Site | None = None, hub: LiveHub | None = None, others: Sequence[BaseRoute] = ()
) -> Starlette:
    """The pages. *others* are routes of other rooms, tried first, such as health checks and the API. *hub* feeds live updates.

    Raises LockstepError if the scripts and styles were not built.
    """
    assets = Assets(BUILT)
    pages = all_pages()
    renderer = Renderer(assets, Frames({page.path for page in pages if page.method == "GET"}), site or Site())
    desk = Desk(contexts, renderer, hub)
    routes: list[BaseRoute] = [*others, assets.route()]
    if hub is not None:
        routes.append(live_route(contexts, hub))
    routes += [Route(page.path, desk.endpoint(page), methods=[page.method]) for page in pages]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM, compresslevel=5),
        ],
        exception_handlers={HTTPException: desk.no_such_page, Exception: desk.unforeseen},
    )
    app.router.redirect_slashes = False
    return app


class Desk:
    """Answers the requests for pages."""

    def __init__(self, contexts: Contexts, renderer: Renderer, hub: LiveHub | None) -> None:
        self._contexts = contexts
        self._renderer = renderer
        self._hub = hub
        self._headers = Headers()

    def endpoint(self, page: PageRoute) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            request.state.request_id = uuid.uuid4().hex[:12]
            request.state.latest_event = self._hub.latest if self._hub is not None else ""
            try:
                response = await self._answer(page, request)
            except StepUpRequired:
                response = self._renderer.respond(request, callers.sign_in_first(request, page=callers.STEP_UP))
            except ClientDisconnect:
                response = Response(status_code=400)  # nobody reads it
            except LockstepError as error:
                response = self._error(request, error)
            except Exception as fault:
                response = self._error(request, as_error(fault), fault)
            response.headers["X-Request-Id"] = request.state.request_id
            return response

        return answer

    async def _answer(self, page: PageRoute, request: Request) -> Response:
        caller = await callers.caller_of(self._contexts(callers.actor_of(None)), request)
        request.state.caller = caller
        if caller is None and not page.is_public:
            return self._renderer.respond(request, callers.sign_in_first(request))
        if page.method not in csrf.SAFE_METHODS:
            await _check_form(page, request)
        context = self._contexts(callers.actor_of(caller))
        if caller is not None and page.method == "GET":
            request.state.header = await self._headers.read(context)
        return self._renderer.respond(request, await page.function(context, request))

    def _error(self, request: Request, error: LockstepError, fault: Exception | None = None) -> Response:
        shown = replace(error, why="", next_step=_REPORT) if error.kind is Kind.INTERNAL else error
        problem = page_error(shown, request_id=request.state.request_id)
        if fault is not None:
            log.error(
                "page_failed",
                path=request.url.path,
                request=problem.request_id,
                fault=type(fault).__name__,
                next=error.next_step,
            )
        release_frames(fault or error)
        return self._renderer.error(request, problem)

    async def no_such_page(self, request: Request, error: Exception) -> Response:
        """An unknown address, or a method that it does not take."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        detail = "There is no page at this address" if status == 404 else "Use the links and forms of the pages"
        return await self._outside(request, status, detail)

    async def unforeseen(self, request: Request, _: Exception) -> Response:
        return await self._outside(request, 500, "The page could not be shown")

    async def _outside(self, request: Request, status: int, detail: str) -> Response:
        request.state.request_id = uuid.uuid4().hex[:12]
        try:
            request.state.caller = caller = await callers.caller_of(self._contexts(callers.actor_of(None)), request)
            if caller is not None:
                request.state.header = await self._headers.read(self._contexts(caller.actor))
        except Exception:  # the page of an error needs neither
            request.state.caller = None
        problem = plain_page_error(status, detail, request_id=request.state.request_id)
        return self._renderer.error(request, problem)


async def _check_form(page: PageRoute, request: Request) -> None:
    """Raise LockstepError unless the form is ours. Nothing of the body is read before its origin is known."""
    csrf.require_same_origin(request.headers, scheme=request.url.scheme)
    request._receive = limited_receive(request.receive, request.headers, page.form_bytes)
    form = await request.form(max_files=20, max_fields=2_000, max_part_size=page.form_bytes)
    caller = request.state.caller
    if caller is not None:
        given = request.headers.get(csrf.HEADER) or form.get(csrf.FIELD) or ""
        csrf.require_token(str(given), caller.csrf_secret)
    elif not page.is_public:
        raise LockstepError(Kind.UNAUTHORIZED, "Your session has ended", next_step="Sign in again")
