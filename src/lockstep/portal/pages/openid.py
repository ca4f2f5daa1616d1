"""The pages of OpenID Connect: signing in to an application, and signing out when an application asks for it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lockstep.actions.openid_sign_in import answering, leaving
from lockstep.actions.openid_sign_in.answering import OpenidSignInFirst, OpenIdSignInResult, ResponseToApplication
from lockstep.actions.saml_sign_in import leaving as way_out
from lockstep.kit.cookies import origin_of
from lockstep.kit.pages import PageAnswer, PageView, Redirect, address
from lockstep.openid.discovery import AUTHORIZE, CONTINUE, LOGOUT
from lockstep.portal.cookies import (
    OPENID_BROWSER,
    SIGN_IN,
    SIGNED_OUT,
    browser_secret,
    forget_session,
    session_secret,
    set_browser_secret,
    set_way_out,
    visitor_of,
)
from lockstep.portal.page import PortalContext, PortalPages

pages = PortalPages()


@pages.get(AUTHORIZE, is_public=True)
async def authorize(context: PortalContext, request: Request) -> PageAnswer:
    found = await answering.authorize(
        context.actions, request.query_params.multi_items(), context.caller, visitor=visitor_of(request),
        origin=origin_of(request), browser=browser_secret(request, OPENID_BROWSER),
    )  # fmt: skip
    return _shown(request, found)


@pages.get(CONTINUE, is_public=True)
async def go_on(context: PortalContext, request: Request) -> PageAnswer:
    """Continue after the person has signed in. The address contains the encrypted request.

    The response is a page that leads to the application, not a redirect: after a form, browsers follow a redirect only to addresses that
    the form itself may be sent to.
    """
    found = await answering.resume(
        context.actions, request.query_params.get("request", ""), context.caller, visitor=visitor_of(request),
        origin=origin_of(request), browser=browser_secret(request, OPENID_BROWSER),
    )  # fmt: skip
    if isinstance(found, ResponseToApplication) and not found.fields:
        return _by_page(f"Signing in to {found.app}", found.url)
    return _shown(request, found)


@pages.get(LOGOUT, is_public=True)
async def take_logout(context: PortalContext, request: Request) -> PageAnswer:
    """Sign out at once if the application has proved that its request concerns this session. Otherwise ask the person first. Then return
    to the application.
    """
    asked = await leaving.logout_asked(
        context.actions, request.query_params.multi_items(), session_secret(request), visitor=visitor_of(request),
        origin=origin_of(request),
    )  # fmt: skip
    if asked.is_sure:
        return await _signed_out(context, request, asked.back)
    if asked.is_signed_in:
        return PageView("portal/sign_out.html", "Sign out", {"app": asked.app, "here": f"{LOGOUT}?{request.url.query}"})
    return _by_page(f"Back to {asked.app}", asked.back) if asked.back else Redirect(SIGNED_OUT)


@pages.post(LOGOUT, is_public=True)
async def confirm_logout(context: PortalContext, request: Request) -> PageAnswer:
    """Sign out after the person has agreed on our page. The application's request is in the address; it is read and checked again."""
    return await _signed_out(context, request, f"{LOGOUT}?{request.url.query}")


async def _signed_out(context: PortalContext, request: Request, then: str) -> Response:
    """End the session in Lockstep. The browser is then sent to each SAML application that must end its own session, and after the last one
    to the address *then*.

    If *then* is "", the browser ends at our own page.
    """
    way = await way_out.sign_out_here(context.actions, session_secret(request), then=then)
    response = _redirected(SIGNED_OUT if way or not then else then)
    forget_session(response, request)
    set_way_out(response, request, way)
    return response


def _shown(request: Request, found: OpenIdSignInResult) -> PageAnswer:
    match found:
        case OpenidSignInFirst(sealed, browser, again, hint):
            back = f"{CONTINUE}?request={sealed}"
            response = _redirected(address(SIGN_IN, next=back, again="yes" if again else "", name=hint))
            set_browser_secret(response, request, browser, OPENID_BROWSER)
            return response
        case ResponseToApplication(app, url, fields):
            if not fields:
                return _redirected(url)
            return PageView("portal/sending.html", f"Signing in to {app}", {"url": url, "fields": fields}, sends_to=url)
    model = {"app": found.app, "contact": found.contact, "is_off": found.is_off}
    return PageView("portal/not_assigned.html", f"No access to {found.app}", model, status=403)


def _by_page(heading: str, url: str) -> PageView:
    return PageView("portal/sending.html", heading, {"url": url, "fields": {}})


def _redirected(url: str) -> Response:
    """Redirect without a referrer, because addresses contain requests and codes."""
    return RedirectResponse(url, status_code=303, headers={"Referrer-Policy": "no-referrer"})
