"""Sign in through the identity provider: send the browser to the provider, and accept the provider's response."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse

from lockstep.actions.person_sign_in.upstream import come_back, leave_for_provider
from lockstep.kit.cookies import cookie_in, origin_of
from lockstep.kit.pages import PageAnswer
from lockstep.portal.cookies import (
    ATTEMPT_COOKIE,
    CALLBACK,
    PROVIDER,
    session_secret,
    set_attempt,
    set_session,
    visitor_of,
)
from lockstep.portal.page import PortalContext, PortalPages
from lockstep.portal.pages.sign_in import next_of

pages = PortalPages()


@pages.get(PROVIDER, is_public=True)
async def leave(context: PortalContext, request: Request) -> PageAnswer:
    query = request.query_params
    departure = await leave_for_provider(
        context.actions,
        redirect_uri=origin_of(request) + CALLBACK,
        next_page=next_of(query.get("next", "")),
        again=query.get("again") == "yes",
    )
    response = RedirectResponse(departure.url, status_code=303)
    set_attempt(response, request, departure.cookie)
    return response


@pages.get(CALLBACK, is_public=True)
async def arrive(context: PortalContext, request: Request) -> PageAnswer:
    """Finish a sign-in after the provider has redirected the browser here. The cookie of the attempt proves that this browser started
    it.
    """
    arrival = await come_back(
        context.actions,
        cookie_in(request, ATTEMPT_COOKIE),
        dict(request.query_params),
        redirect_uri=origin_of(request) + CALLBACK,
        visitor=visitor_of(request),
        replaces=session_secret(request),
    )
    response = RedirectResponse(next_of(arrival.next_page), status_code=303)
    set_session(response, request, arrival.signed_in)
    set_attempt(response, request, "")
    return response
