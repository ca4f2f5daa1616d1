"""The admin centre as an ASGI application: the kit's `PageDesk` with the sessions of administrators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from lockstep.actions.callers import Caller
from lockstep.actions.context import Context, ContextOf
from lockstep.actions.live import LiveHub
from lockstep.actions.permissions import NotPermitted, StepUpRequired
from lockstep.actions.who_may import who_may
from lockstep.errors import LockstepError
from lockstep.kit.assets import Assets
from lockstep.kit.desk import PageDesk
from lockstep.kit.pages import PageRoute, Redirect
from lockstep.kit.rendering import Renderer
from lockstep.process.bug_report import as_error
from lockstep.web import callers
from lockstep.web.frame import Frames
from lockstep.web.header import Headers
from lockstep.web.live import READING, CountReadings, live_route
from lockstep.web.page import View, all_pages
from lockstep.web.rendering import AdminRenderer, Site
from lockstep.web.shared_readings import NotShared, SharedReadings

BUILT = Path(__file__).parent / "built"


def admin_app(
    contexts: ContextOf,
    *,
    site: Site | None = None,
    hub: LiveHub | None = None,
    others: Sequence[BaseRoute] = (),
    assets: Assets | None = None,
) -> Starlette:
    """Return the pages as an ASGI application. *others* are routes of other packages, which are matched first: health checks, the API, the
    portal. *hub* supplies live updates.

    *assets* are the scripts and styles; None means `built_assets()`. Raises LockstepError if they were not built.
    """
    assets = assets or built_assets()
    pages = all_pages()
    renderer = AdminRenderer(assets, Frames({page.path for page in pages if page.method == "GET"}), site or Site())
    routes: list[BaseRoute] = [*others, assets.route()]
    if hub is not None:
        routes.append(live_route(contexts, hub))
    app = AdminDesk(contexts, renderer, hub).app(routes, pages)
    if hub is not None:
        app.add_middleware(CountReadings, hub=hub)
    return app


def built_assets() -> Assets:
    """Return the scripts and styles of the admin centre, which the portal uses too."""
    return Assets(BUILT)


class AdminDesk(PageDesk[Context, Caller]):
    """Answers the requests for pages of the admin centre."""

    def __init__(self, contexts: ContextOf, renderer: Renderer, hub: LiveHub | None) -> None:
        super().__init__(renderer)
        self._contexts = contexts
        self._hub = hub
        self._headers = Headers()
        self._shared = SharedReadings(hub) if hub is not None else None

    async def arrive(self, request: Request) -> None:
        request.state.latest_event = self._hub.latest if self._hub is not None else ""

    async def caller_of(self, request: Request) -> Caller | None:
        return await callers.caller_of(self._contexts(callers.actor_of(None)), request)

    def context_of(self, caller: Caller | None) -> Context:
        return self._contexts(callers.actor_of(caller))

    def sign_in_first(self, request: Request) -> Redirect:
        return callers.sign_in_first(request)

    async def prepare(self, context: Context, request: Request) -> None:
        request.state.header = await self._headers.read(context)

    async def show(self, page: PageRoute[Context], request: Request, caller: Caller | None) -> Response:
        """Show the page. If a change makes several browsers reload the same page, the page is rendered once for all of them."""
        if page.method != "GET":
            response = await super().show(page, request, caller)
            self._headers.forget()  # the page that follows shows what was just changed
            return response
        if self._shared is None or caller is None or READING.decode() not in request.headers:
            return await super().show(page, request, caller)

        async def read(of_nobody: Request, nobody: Caller) -> Response:
            of_nobody.state.caller, of_nobody.state.is_shared = nobody, True
            context = self.context_of(nobody)
            view = await page.function(context, of_nobody)
            if not (isinstance(view, View) and view.live):
                raise NotShared
            await self.prepare(context, of_nobody)
            return self._renderer.respond(of_nobody, view)

        try:
            return await self._shared.answer(request, caller, read)
        except NotShared:
            return await super().show(page, request, caller)

    def instead_of(self, error: LockstepError, request: Request) -> Redirect | None:
        return callers.sign_in_first(request, page=callers.STEP_UP) if isinstance(error, StepUpRequired) else None

    async def shown_of(self, error: LockstepError, request: Request) -> LockstepError:
        """Add to a permission error the names of administrators who have the permission."""
        if not isinstance(error, NotPermitted) or request.state.caller is None:
            return error
        able = await who_may(self.context_of(request.state.caller), error.permission, error.app)
        next_step = f"Ask {'one of: ' if len(able) > 1 else ''}{', '.join(able)}" if able else error.next_step
        return LockstepError(error.kind, error.detail, why=error.why, next_step=next_step)

    def as_error(self, fault: Exception) -> LockstepError:
        return as_error(fault)
