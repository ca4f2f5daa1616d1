"""Sign in, sign out, and set a password through a link."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lockstep.actions.passkey_proofs import PasskeyAnswer
from lockstep.actions.person_sign_in import passwords
from lockstep.actions.person_sign_in.setting import ways_to_sign_in
from lockstep.actions.saml_sign_in import leaving
from lockstep.actions.totp import SecondFactorRequired
from lockstep.errors import LockstepError
from lockstep.kit.cookies import cookie_in, origin_of
from lockstep.kit.opened_links import INSTEAD_OF, TEMPLATE, is_answered, question
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import PageAnswer, PageView, Redirect, address, on_the_form
from lockstep.kit.returning import safe_next
from lockstep.openid.discovery import CONTINUE
from lockstep.portal.cookies import (
    HOME,
    PROVIDER,
    SIGN_IN,
    SIGNED_OUT,
    WAY_COOKIE,
    forget_session,
    session_secret,
    set_session,
    set_way_out,
    visitor_of,
)
from lockstep.portal.page import LeavingView, PortalContext, PortalPages

pages = PortalPages()


@pages.get(SIGN_IN, is_public=True)
async def show_sign_in(context: PortalContext, request: Request) -> PageAnswer:
    back = next_of(request.query_params.get("next", ""))
    is_again = request.query_params.get("again") == "yes"
    if context.caller is not None and not is_again:
        return Redirect(back)
    return await _form(context, name=request.query_params.get("name", ""), back=back, again=is_again)


@pages.post(SIGN_IN, is_public=True)
async def sign_in(context: PortalContext, request: Request) -> PageAnswer:
    form = await request.form()
    name, back = str(form.get("name", "")), next_of(str(form.get("next", "")))
    try:
        signed_in = await passwords.sign_person_in(
            context.actions,
            name,
            str(form.get("password", "")),
            str(form.get("code", "")),
            passkey=PasskeyAnswer(origin_of(request), str(form.get("seal", "")), str(form.get("passkey", ""))),
            visitor=visitor_of(request),
            replaces=session_secret(request),
        )
    except LockstepError as refused:
        return await _form(context, name=name, back=back, refused=on_the_form(refused))
    response = RedirectResponse(back, status_code=303)
    set_session(response, request, signed_in)
    return response


@pages.post("/myapps/sign-out")
async def sign_out(context: PortalContext, request: Request) -> Response:
    way = await leaving.sign_out_here(context.actions, session_secret(request))
    response = RedirectResponse(SIGNED_OUT, status_code=303)
    forget_session(response, request)
    set_way_out(response, request, way)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@pages.get(SIGNED_OUT, is_public=True)
async def show_signed_out(context: PortalContext, request: Request) -> PageAnswer:
    """Send the browser to the next application in which the person must be signed out. The browser returns here from each application.

    After the last application, say that the person is signed out. The response is always a page, never a redirect: after a form has been
    sent, browsers follow a redirect only to addresses to which the form itself may be sent.
    """
    stop = await leaving.next_stop(context.actions, cookie_in(request, WAY_COOKIE), origin=origin_of(request))
    if stop is None:
        return LeavingView("portal/signed_out.html", "You are signed out")
    model = {"url": stop.url, "fields": {}}
    heading = f"Signing out of {stop.app}" if stop.app else "You are signed out"
    return LeavingView("portal/sending.html", heading, model, way=stop.rest)


@pages.get("/myapps/link/{secret}", is_public=True)
async def show_link(context: PortalContext, request: Request) -> PageAnswer:
    """Show the form for setting a password. If this browser is signed in as somebody else, ask first: the link replaces that session."""
    owner = await passwords.owner_of_link(context.actions, request.path_params["secret"])
    given = request.query_params.get(INSTEAD_OF, "")
    return _question(context, request, owner, given) or _link_form(request, owner, given)


@pages.post("/myapps/link/{secret}", is_public=True)
async def accept_link(context: PortalContext, request: Request) -> PageAnswer:
    form, secret = await request.form(), request.path_params["secret"]
    owner, given = await passwords.owner_of_link(context.actions, secret), str(form.get(INSTEAD_OF, ""))
    if asked := _question(context, request, owner, given):
        return asked
    try:
        signed_in = await passwords.accept_link(
            context.actions,
            secret,
            str(form.get("password", "")),
            visitor=visitor_of(request),
            replaces=session_secret(request),
        )
    except LockstepError as refused:
        return _link_form(request, owner, given, on_the_form(refused))
    if signed_in is None:
        return Redirect(SIGN_IN, notice="The password is set. Sign in with it and your second factor")
    response = RedirectResponse(HOME, status_code=303)
    set_session(response, request, signed_in)
    return response


def next_of(text: str) -> str:
    """Return the page to show after signing in. It is always a page of the portal, never one of another server or the admin centre."""
    safe = safe_next(text)
    return safe if safe.startswith(("/myapps", "/saml2/", CONTINUE)) else HOME


async def _form(
    context: PortalContext,
    *,
    name: str = "",
    back: str = HOME,
    again: bool = False,
    refused: LockstepError | None = None,
) -> PageView:
    model = {
        "name": name,
        "next": back,
        "refused": refused,
        "wants_factor": refused if isinstance(refused, SecondFactorRequired) else None,
        "start": address(SIGN_IN, next=back),
        "ways": await ways_to_sign_in(context.actions),
        "through_provider": address(PROVIDER, next=back, again="yes" if again else ""),
    }
    return PageView("portal/sign_in.html", "Sign in", model, status=STATUSES[refused.kind] if refused else 200)


def _question(context: PortalContext, request: Request, owner: str, given: str) -> PageView | None:
    caller = context.caller
    if caller is None or caller.user_principal_name == owner or is_answered(given, caller.session):
        return None
    model = question(
        request.url.path, owner=owner, signed_in=caller.user_principal_name, session=caller.session, home=HOME
    )
    return PageView(TEMPLATE, "Somebody else is signed in", model)


def _link_form(request: Request, owner: str, given: str, refused: LockstepError | None = None) -> PageView:
    model = {
        "name": owner,
        "secret": request.path_params["secret"],
        "instead_of": given,
        "refused": refused,
        "longest": passwords.LONGEST_PASSWORD,
    }
    return PageView("portal/link.html", "Set your password", model, status=STATUSES[refused.kind] if refused else 200)
