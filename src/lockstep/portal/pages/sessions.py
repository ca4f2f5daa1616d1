"""Sessions: the browsers in which the person is signed in, with buttons that end one session or all of them."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions.person_sign_in import own_sessions
from lockstep.errors import LockstepError
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import PageAnswer, PageView, Redirect, on_the_form
from lockstep.portal.cookies import session_secret
from lockstep.portal.page import PortalContext, PortalPages
from lockstep.portal.pages.sign_in import sign_out

pages = PortalPages()
HERE = "/myapps/sessions"


@pages.get(HERE)
async def show_sessions(context: PortalContext, request: Request) -> PageAnswer:
    return await _page(context, request)


@pages.post(HERE + "/end")
async def end_session(context: PortalContext, request: Request) -> PageAnswer:
    session = str((await request.form()).get("session", ""))
    try:
        await own_sessions.end_own_session(context.actions, session_secret(request), session)
    except LockstepError as refused:
        return await _page(context, request, on_the_form(refused))
    return Redirect(HERE, notice="The session has ended")


@pages.post(HERE + "/end-all")
async def sign_out_everywhere(context: PortalContext, request: Request) -> PageAnswer:
    """End the other sessions. Then sign out here as usual, which includes signing out of the applications of this session."""
    await own_sessions.end_other_sessions(context.actions, session_secret(request))
    return await sign_out(context, request)


async def _page(context: PortalContext, request: Request, refused: LockstepError | None = None) -> PageView:
    model = {
        "sessions": await own_sessions.list_own_sessions(context.actions, session_secret(request)),
        "current": context.person().session,
        "here": HERE,
        "refused": refused,
    }
    return PageView("portal/sessions.html", "Sessions", model, status=STATUSES[refused.kind] if refused else 200)
