"""Answer the requests for pages: find the session, check forms, call the page function, build the response. Errors become pages.

Before the function of a POST is called, the form is checked: it must come from one of our pages and contain the token of its session.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from structlog.contextvars import bound_contextvars

from lockstep.errors import Kind, LockstepError, release_frames
from lockstep.kit import csrf
from lockstep.kit.bodies import limited_receive, require_no_nul
from lockstep.kit.headers import SecurityHeaders
from lockstep.kit.page_errors import page_error, plain_page_error
from lockstep.kit.pages import PageRoute, PageView, Redirect
from lockstep.kit.rendering import Renderer
from lockstep.kit.tracing import log_fields, request_id_of, trace_id_of

COMPRESSED_FROM = 1_000  # bytes
_REPORT = "Try again. If it happens again, report it with the number below: the server's log has the details"

log = structlog.get_logger("lockstep.kit.desk")


class SignedInCaller(Protocol):
    """The properties of a signed-in caller that are needed to check forms."""

    @property
    def csrf_secret(self) -> str: ...


C = TypeVar("C")  # the context that the product's page functions receive
P = TypeVar("P", bound=SignedInCaller)


class PageDesk(ABC, Generic[C, P]):
    """The pages of one product. A subclass defines how to find the caller, which context page functions receive, and where to sign in."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    @abstractmethod
    async def caller_of(self, request: Request) -> P | None:
        """Return the signed-in caller, or None."""

    @abstractmethod
    def context_of(self, caller: P | None) -> C: ...

    @abstractmethod
    def sign_in_first(self, request: Request) -> Redirect: ...

    @abstractmethod
    def as_error(self, fault: Exception) -> LockstepError:
        """Return the error to show for an unexpected fault, and report the fault if it is a bug."""

    async def arrive(self, request: Request) -> None:
        """Prepare for a request. Called first for each request for a page."""

    async def prepare(self, context: C, request: Request) -> None:
        """Read the data that the frame shows to signed-in callers."""

    def instead_of(self, error: LockstepError, request: Request) -> Redirect | None:
        """Return a redirect to send in place of the error page for *error*. Returns None if the error page is to be shown."""
        return None

    async def shown_of(self, error: LockstepError, request: Request) -> LockstepError:
        """Return *error* as its page shows it. A product can override this method to add details."""
        return error

    def app(self, routes: Sequence[BaseRoute], pages: Sequence[PageRoute[C]]) -> Starlette:
        """Return the ASGI application, which tries *routes* first and then the pages."""
        app = Starlette(
            routes=[*routes, *(Route(page.path, self.endpoint(page), methods=[page.method]) for page in pages)],
            middleware=[
                Middleware(SecurityHeaders),
                Middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM, compresslevel=5),
            ],
            exception_handlers={HTTPException: self.no_such_page, Exception: self.unforeseen},
        )
        app.router.redirect_slashes = False
        return app

    def endpoint(self, page: PageRoute[C]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            request.state.request_id = request_id_of(request.headers)
            with bound_contextvars(**log_fields(request.state.request_id, trace_id_of(request.headers))):
                return await answer_logged(request)

        async def answer_logged(request: Request) -> Response:
            await self.arrive(request)
            try:
                response = await self._answer(page, request)
            except ClientDisconnect:
                response = Response(status_code=400)  # no client reads it
            except LockstepError as error:
                if elsewhere := self.instead_of(error, request):
                    response = self._renderer.respond(request, elsewhere)
                else:
                    response = self._error(request, await self.shown_of(error, request))
            except Exception as fault:
                response = self._error(request, self.as_error(fault), fault)
            response.headers["X-Request-Id"] = request.state.request_id
            return response

        return answer

    async def _answer(self, page: PageRoute[C], request: Request) -> Response:
        caller = await self.caller_of(request)
        request.state.caller = caller
        if caller is None and not page.is_public:
            return self._renderer.respond(request, self.sign_in_first(request))
        given = (one for pair in request.query_params.multi_items() for one in pair)
        require_no_nul([request.scope["path"], *given], of="address")
        if page.method not in csrf.SAFE_METHODS:
            await _check_form(page, request)
        return await self.show(page, request, caller)

    async def show(self, page: PageRoute[C], request: Request, caller: P | None) -> Response:
        """Call the function of the page for *caller*, and render its result."""
        context = self.context_of(caller)
        if caller is not None and page.method == "GET":
            await self.prepare(context, request)
        answer = await page.function(context, request)
        if caller is not None and page.method != "GET" and isinstance(answer, PageView):
            await self.prepare(context, request)  # a POST that returns a page needs the frame too
        return self._renderer.respond(request, answer)

    def _error(self, request: Request, error: LockstepError, fault: Exception | None = None) -> Response:
        shown = replace(error, why="", next_step=_REPORT) if error.kind is Kind.INTERNAL else error
        problem = page_error(shown, request_id=request.state.request_id)
        if fault is not None:
            log.error("page_failed", path=request.url.path, fault=type(fault).__name__, next=error.next_step)
        release_frames(fault or error)
        return self._renderer.error(request, problem)

    async def no_such_page(self, request: Request, error: Exception) -> Response:
        """Return the response for an unknown address, or for a method that the address does not accept."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        detail = "There is no page at this address" if status == 404 else "Use the links and forms on the pages"
        return await self._outside(request, status, detail)

    async def unforeseen(self, request: Request, _: Exception) -> Response:
        return await self._outside(request, 500, "The page could not be shown")

    async def _outside(self, request: Request, status: int, detail: str) -> Response:
        request.state.request_id = request_id_of(request.headers)
        try:
            request.state.caller = caller = await self.caller_of(request)
            if caller is not None:
                await self.prepare(self.context_of(caller), request)
        except Exception:  # an error page needs neither
            request.state.caller = None
        problem = plain_page_error(status, detail, request_id=request.state.request_id)
        return self._renderer.error(request, problem)


async def _check_form(page: PageRoute[Any], request: Request) -> None:
    """Raise LockstepError unless the form comes from one of our pages and contains the token of its session. The body is read only after
    the origin has been checked.
    """
    csrf.require_same_origin(request.headers, scheme=request.url.scheme)
    request._receive = limited_receive(request.receive, request.headers, page.form_bytes)
    form = await request.form(max_files=20, max_fields=2_000, max_part_size=page.form_bytes)
    require_no_nul((one for _, one in form.multi_items() if isinstance(one, str)), of="form")
    caller = request.state.caller
    if caller is not None:
        given = request.headers.get(csrf.HEADER) or form.get(csrf.FIELD) or ""
        csrf.require_token(str(given), caller.csrf_secret)
    elif not page.is_public:
        raise LockstepError(Kind.UNAUTHORIZED, "Your session has ended", next_step="Sign in again")
