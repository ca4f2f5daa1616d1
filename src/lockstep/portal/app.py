"""The routes of the portal. Its pages work like those of the kit's `PageDesk`, but their sessions belong to people of the directory.

The portal's routes are matched before the routes of the admin centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lockstep import __version__
from lockstep.actions.context import NOT_SIGNED_IN, ContextOf
from lockstep.actions.person_sign_in.sessions import PersonCaller, caller_of_person
from lockstep.errors import LockstepError
from lockstep.kit.assets import Assets
from lockstep.kit.desk import PageDesk
from lockstep.kit.headers import POLICY, content_security_policy
from lockstep.kit.page_errors import PageError
from lockstep.kit.pages import PageAnswer, PageView, Redirect, pages_in
from lockstep.kit.rendering import Renderer
from lockstep.kit.returning import page_asked_for
from lockstep.portal.cookies import HOME, SIGN_IN, session_secret, set_way_out
from lockstep.portal.openid_endpoints import openid_routes
from lockstep.portal.page import LeavingView, PortalContext
from lockstep.portal.pages.saml import SSO, form_endpoint
from lockstep.process.bug_report import as_error

PRODUCT = "Lockstep"
SECOND_FACTOR = "/myapps/second-factor"
_WITHOUT_FACTOR = (SECOND_FACTOR, "/myapps/sign-out")


def portal_routes(contexts: ContextOf, assets: Assets) -> list[BaseRoute]:
    """Return the routes of the portal. *assets* must contain its scripts and styles."""
    desk = PortalDesk(contexts, PortalRenderer(assets))
    foreign = Route(SSO, form_endpoint(lambda: contexts(NOT_SIGNED_IN)), methods=["POST"])
    return [
        foreign,
        *openid_routes(lambda: contexts(NOT_SIGNED_IN)),
        *(Route(page.path, desk.endpoint(page), methods=[page.method]) for page in pages_in("lockstep.portal.pages")),
    ]


@dataclass(frozen=True, slots=True)
class PortalFrame:
    """The data that the frame's templates show for one page."""

    title: str


class PortalRenderer(Renderer):
    """Renders the templates in `portal/templates`."""

    def __init__(self, assets: Assets) -> None:
        super().__init__(
            "lockstep.portal",
            PRODUCT,
            {"asset": assets.url, "version": __version__, "sign_in_page": SIGN_IN, "home": HOME},
        )

    def respond(self, request: Request, answer: PageAnswer) -> Response:
        response = super().respond(request, answer)
        if isinstance(answer, PageView) and answer.sends_to:
            # Browsers apply form-action to redirects too, and an application may redirect the browser to another of its hosts.
            response.headers[POLICY] = content_security_policy().replace(
                "form-action 'self'", "form-action https: http:"
            )
        if isinstance(answer, LeavingView):
            set_way_out(response, request, answer.way)
        return response

    def frame_of(self, view: PageView) -> PortalFrame:
        return PortalFrame(" - ".join(dict.fromkeys((view.heading, "My Apps", PRODUCT))))

    def problem_view(self, problem: PageError) -> PageView:
        return PageView("", problem.title)


class PortalDesk(PageDesk[PortalContext, PersonCaller]):
    """Answers the requests for pages of the portal."""

    def __init__(self, contexts: ContextOf, renderer: Renderer) -> None:
        super().__init__(renderer)
        self._contexts = contexts

    async def caller_of(self, request: Request) -> PersonCaller | None:
        """Return the signed-in person.

        If the session lacks a required second factor, the person is returned only if they have not set one up yet, and only for requests to
        the pages that set it up and to sign-out.
        """
        caller = await caller_of_person(self._contexts(NOT_SIGNED_IN), session_secret(request))
        request.state.lacks_factor = False
        if caller is None or not caller.lacks_factor:
            return caller
        request.state.lacks_factor = True
        may_add = not caller.has_second_factor and request.url.path.startswith(_WITHOUT_FACTOR)
        return caller if may_add else None

    def context_of(self, caller: PersonCaller | None) -> PortalContext:
        return PortalContext(self._contexts(NOT_SIGNED_IN), caller)

    def sign_in_first(self, request: Request) -> Redirect:
        back = page_asked_for(request)
        page = SECOND_FACTOR if request.state.lacks_factor else SIGN_IN
        return Redirect(page if back in ("/", HOME) else f"{page}?next={quote(back, safe='')}")

    def as_error(self, fault: Exception) -> LockstepError:
        return as_error(fault)
