"""Documo's pages as an ASGI application. The kit handles the requests; the sessions belong to Documo's members."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from documo import __version__
from documo.access.confirming import ConfirmationRequired
from documo.access.member_sign_in import MemberCaller, caller_of_session
from documo.access.sso.addresses import REPLY_PATH
from documo.access.sso.refreshing import MetadataReader
from documo.branding import brand_of_host
from documo.domain_tls import CertificateLook
from documo.permissions import allows
from documo.store.actors import member_actor
from documo.store.branding import BrandRow
from documo.store.database import Store
from documo.web.assertions import assertion_endpoint
from documo.web.command_pages import STEPS
from documo.web.context import PageContext
from documo.web.frame import PRODUCT, DocumoFrame, Extension, frame_of
from documo.web.live import LiveRequests, live_route
from documo.web.sessions import CONFIRM, SIGN_IN, session_secret
from lockstep.errors import LockstepError, unreachable
from lockstep.kit.assets import Assets
from lockstep.kit.desk import PageDesk
from lockstep.kit.page_errors import PageError
from lockstep.kit.pages import PageView, Redirect, pages_in
from lockstep.kit.rendering import Renderer
from lockstep.kit.returning import nearest_page, page_asked_for
from lockstep.process.bug_report import as_error, is_lost_database

BUILT = Path(__file__).parent / "built"


def pages_app(
    store: Store,
    *,
    api_url: str,
    metadata: MetadataReader,
    live: LiveRequests,
    name_server: str | None = None,
    look: CertificateLook | None = None,
    extension: Extension | None = None,
) -> Starlette:
    """Return the application. *live* supplies live updates. *name_server* replaces the system's resolver for the records of domains, and
    *look* has the parameters for checks of their certificates. *extension* adds pages.

    If the scripts and styles were not built, the first request raises LockstepError.
    """
    more = extension.routes if extension is not None else ()
    pages = sorted([*pages_in("documo.web.pages"), *more], key=lambda route: route.order)
    assets = Assets(BUILT)
    paths = {page.path for page in pages if page.method == "GET"}
    renderer = DocumoRenderer(assets, paths, extension)
    others = [
        assets.route(),
        live_route(store, live),
        Route(REPLY_PATH, assertion_endpoint(store, api_url), methods=["POST"]),
    ]
    return DocumoDesk(renderer, paths, store, api_url, metadata, name_server, look).app(others, pages)


class DocumoRenderer(Renderer):
    """Renders the templates in `documo/web/templates`. *paths* are the addresses that have a page."""

    def __init__(self, assets: Assets, paths: set[str], extension: Extension | None = None) -> None:
        self._paths = paths
        self._extension = extension
        super().__init__(
            "documo.web",
            PRODUCT,
            {"product_icon": "list", "asset": assets.url, "version": __version__, "sign_in_page": SIGN_IN},
            steps=STEPS,
        )

    def frame_of(self, view: PageView) -> DocumoFrame:
        return frame_of(view, self._paths, self._extension.rail if self._extension is not None else ())

    def more_names(self, request: Request) -> Mapping[str, Any]:
        caller: MemberCaller | None = getattr(request.state, "caller", None)
        brand: BrandRow | None = caller.brand if caller is not None else getattr(request.state, "brand", None)
        return {
            "standing_notice": self._extension.notice() if self._extension is not None else "",
            "standing_notice_href": self._extension.href if self._extension is not None else "",
            "brand": brand,
            "accent": brand.accent if brand is not None else "",
            "may": lambda permission: caller is not None and allows(caller.role, permission),
        }

    def problem_view(self, problem: PageError) -> PageView:
        return PageView("", problem.title)


class DocumoDesk(PageDesk[PageContext, MemberCaller]):
    """Answers the requests for Documo's pages."""

    def __init__(
        self,
        renderer: Renderer,
        paths: set[str],
        store: Store,
        public_url: str,
        metadata: MetadataReader,
        name_server: str | None,
        look: CertificateLook | None,
    ) -> None:
        super().__init__(renderer)
        self._paths = paths
        self._store = store
        self._public_url = public_url
        self._metadata = metadata
        self._name_server = name_server
        self._look = look

    async def arrive(self, request: Request) -> None:
        """Find the brand to show to visitors who have not signed in yet."""
        request.state.brand = await brand_of_host(self._store, request.headers.get("host", ""))

    async def caller_of(self, request: Request) -> MemberCaller | None:
        return await caller_of_session(self._store, session_secret(request))

    def context_of(self, caller: MemberCaller | None) -> PageContext:
        store = self._store
        if caller is not None:
            store = store.acting_as(member_actor(caller.member_id, caller.user_name))
        respond = self._renderer.respond
        return PageContext(store, self._public_url, self._metadata, respond, caller, self._name_server, self._look)

    def sign_in_first(self, request: Request) -> Redirect:
        back = nearest_page(page_asked_for(request), self._paths)
        return Redirect(SIGN_IN if back == "/" else f"{SIGN_IN}?next={quote(back)}")

    def instead_of(self, error: LockstepError, request: Request) -> Redirect | None:
        if not isinstance(error, ConfirmationRequired):
            return None
        notice = "" if request.method == "GET" else "Nothing was changed yet. Confirm, then repeat the change"
        back = nearest_page(page_asked_for(request), self._paths)
        return Redirect(f"{CONFIRM}?next={quote(back, safe='')}", notice=notice)

    def as_error(self, fault: Exception) -> LockstepError:
        if is_lost_database(fault):
            return unreachable("Documo's database cannot be reached", next_step="Try again in a moment")
        return as_error(fault, product=PRODUCT)
