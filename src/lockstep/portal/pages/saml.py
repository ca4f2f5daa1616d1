"""The SAML endpoints of one application, and opening the application from My Apps.

A form with a response is sent to the application's server, so the page of the form declares that address to the browser.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lockstep.actions.context import Context
from lockstep.actions.openid_sign_in import opening
from lockstep.actions.saml_sign_in.answering import (
    ApplicationStart,
    NotAssigned,
    ResponseForm,
    SignInFirst,
    answer_request,
    launch,
)
from lockstep.actions.saml_sign_in.asking import SealedRequest, receive_form, receive_query
from lockstep.actions.saml_sign_in.describing import metadata_of
from lockstep.actions.saml_sign_in.leaving import receive_logout
from lockstep.actions.saml_sign_in.noting import did_not_work
from lockstep.errors import LockstepError
from lockstep.kit.bodies import limited_receive
from lockstep.kit.cookies import origin_of
from lockstep.kit.pages import PageAnswer, PageView, Redirect
from lockstep.kit.tracing import request_id_of
from lockstep.portal.cookies import (
    SAML_BROWSER,
    SIGN_IN,
    SIGNED_OUT,
    browser_secret,
    session_secret,
    set_browser_secret,
    visitor_of,
)
from lockstep.portal.page import PortalContext, PortalPages

pages = PortalPages()
SSO, FAILED = "/saml2/{app}/sso", "/saml2/{app}/failed"
MAX_FORM = 512 * 1024  # bytes: enough for a request of 256 KB in Base64, escaped
_XML = "application/samlmetadata+xml"


@pages.get(SSO, is_public=True)
async def take_query(context: PortalContext, request: Request) -> Response:
    """Handle a request by the HTTP-Redirect binding. The query is read exactly as it was sent, because the signature covers those bytes."""
    app = request.path_params["app"]
    received = await receive_query(
        context.actions,
        app,
        request.url.query,
        visitor=visitor_of(request),
        origin=origin_of(request),
        browser=browser_secret(request, SAML_BROWSER),
    )
    return _on_to_answer(request, app, received)


def form_endpoint(context_of: Callable[[], Context]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint for requests by the HTTP-POST binding. It is not a page: the form comes from another server, so it has neither
    our form token nor our session cookie.
    """

    async def take(request: Request) -> Response:
        app = request.path_params["app"]
        request.state.request_id = request_id_of(request.headers)
        try:
            request._receive = limited_receive(request.receive, request.headers, MAX_FORM)
            form = await request.form(max_files=0, max_fields=20, max_part_size=MAX_FORM)
            fields = {name: str(value) for name, value in form.multi_items()}
            received = await receive_form(
                context_of(),
                app,
                fields,
                visitor=visitor_of(request),
                origin=origin_of(request),
                browser=browser_secret(request, SAML_BROWSER),
            )
        except LockstepError:
            failed = f"/saml2/{quote(app, safe='')}/failed?number={request.state.request_id}"
            return RedirectResponse(failed, status_code=303)
        return _on_to_answer(request, app, received)

    return take


@pages.get(FAILED, is_public=True)
async def show_failed(_: PortalContext, request: Request) -> PageAnswer:
    """Show the page that follows a refused form. The page shows the number of the request. The log has the details under this number."""
    number = request.query_params.get("number", "")
    request.state.request_id = request_id_of({"x-request-id": number})
    raise did_not_work()


@pages.get("/saml2/{app}/continue", is_public=True)
async def answer(context: PortalContext, request: Request) -> PageAnswer:
    app, sealed = request.path_params["app"], request.query_params.get("request", "")
    found = await answer_request(
        context.actions,
        app,
        sealed,
        session_secret(request),
        visitor=visitor_of(request),
        origin=origin_of(request),
        browser=browser_secret(request, SAML_BROWSER),
    )
    if isinstance(found, SignInFirst):
        again = "&again=yes" if found.again else ""
        return Redirect(f"{SIGN_IN}?next={quote(_continue(app, sealed), safe='')}{again}")
    return _shown(found)


@pages.get("/myapps/launch/{app}")
async def open_application(context: PortalContext, request: Request) -> PageAnswer:
    """Open an application from My Apps, whatever its single sign-on method."""
    asked = (context.actions, request.path_params["app"], session_secret(request))
    visitor, origin = visitor_of(request), origin_of(request)
    found = await opening.open_application(*asked, visitor=visitor, origin=origin)
    return _shown(found or await launch(*asked, visitor=visitor, origin=origin))


@pages.get("/saml2/{app}/metadata", is_public=True)
async def show_metadata(context: PortalContext, request: Request) -> PageAnswer:
    document = await metadata_of(context.actions, request.path_params["app"], origin=origin_of(request))
    return Response(document, media_type=_XML)


@pages.get("/saml2/{app}/logout", is_public=True)
async def take_logout(context: PortalContext, request: Request) -> PageAnswer:
    """Handle a logout message from the application.

    If the message is a request, answer it. If it is the response to our own request, continue with the next application.
    """
    address = await receive_logout(
        context.actions,
        request.path_params["app"],
        request.url.query,
        visitor=visitor_of(request),
        origin=origin_of(request),
    )
    return Redirect(address or SIGNED_OUT)


def _on_to_answer(request: Request, app: str, received: SealedRequest) -> Response:
    response = RedirectResponse(_continue(app, received.sealed), status_code=303)
    set_browser_secret(response, request, received.browser, SAML_BROWSER)
    return response


def _continue(app: str, sealed: str) -> str:
    return f"/saml2/{quote(app, safe='')}/continue?request={sealed}"


def _shown(found: ResponseForm | ApplicationStart | NotAssigned) -> PageView:
    match found:
        case ResponseForm(app, url, fields):
            return PageView("portal/sending.html", f"Signing in to {app}", {"url": url, "fields": fields}, sends_to=url)
        case ApplicationStart(app, url):
            return PageView("portal/sending.html", f"Opening {app}", {"url": url, "fields": {}})
        case NotAssigned(app, contact, is_off):
            model = {"app": app, "contact": contact, "is_off": is_off}
            return PageView("portal/not_assigned.html", f"No access to {app}", model, status=403)
