"""Signing in and out, the password again before a delicate change, and the links that work once."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lockstep.actions import sign_in as actions
from lockstep.actions.context import Context
from lockstep.actions.totp import SecondFactorRequired
from lockstep.errors import LockstepError
from lockstep.kit.page_errors import STATUSES
from lockstep.web.callers import (
    SIGN_IN,
    STEP_UP,
    address_of,
    caller_in,
    device_of,
    end_session,
    safe_next,
    session_secret,
    set_session,
)
from lockstep.web.page import Answer, Pages, Redirect, View, on_the_form

pages = Pages()


@pages.get(SIGN_IN, is_public=True)
async def show_sign_in(_: Context, request: Request) -> Answer:
    if request.state.caller is not None:
        return Redirect(safe_next(request.query_params.get("next", "/")))
    return _sign_in_page(request.query_params.get("next", "/"))


@pages.post(SIGN_IN, is_public=True)
async def sign_in(context: Context, request: Request) -> Answer:
    form = await request.form()
    email, next_page = str(form.get("email", "")), str(form.get("next", "/"))
    try:
        signed_in = await actions.sign_in(
            context,
            email,
            str(form.get("password", "")),
            str(form.get("code", "")),
            device=device_of(request),
            address=address_of(request),
        )
    except LockstepError as refused:
        return _sign_in_page(next_page, email=email, refused=on_the_form(refused))
    response = RedirectResponse(safe_next(next_page), status_code=303)
    set_session(response, request, signed_in)
    return response


@pages.post("/sign-out")
async def sign_out(context: Context, request: Request) -> Response:
    await actions.sign_out(context, session_secret(request))
    response = RedirectResponse(SIGN_IN, status_code=303)
    end_session(response, request)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@pages.get(STEP_UP)
async def show_step_up(_: Context, request: Request) -> View:
    return _step_up_page(request, request.query_params.get("next", "/"))


@pages.post(STEP_UP)
async def step_up(context: Context, request: Request) -> Answer:
    form = await request.form()
    next_page = str(form.get("next", "/"))
    try:
        signed_in = await actions.step_up(context, session_secret(request), str(form.get("password", "")))
    except LockstepError as refused:
        return _step_up_page(request, next_page, refused=on_the_form(refused))
    response = RedirectResponse(safe_next(next_page), status_code=303)
    set_session(response, request, signed_in)
    return response


@pages.get("/invitations/{secret}", is_public=True)
async def show_invitation(context: Context, request: Request) -> View:
    return await _invitation_page(context, request)


@pages.post("/invitations/{secret}", is_public=True)
async def accept_invitation(context: Context, request: Request) -> Answer:
    form = await request.form()
    secret, name, email = request.path_params["secret"], str(form.get("name", "")), str(form.get("email", ""))
    try:
        signed_in = await actions.accept_invitation(
            context, secret, name, str(form.get("password", "")), email=email, device=device_of(request)
        )
    except LockstepError as refused:
        return await _invitation_page(context, request, name=name, email=email, refused=on_the_form(refused))
    response = RedirectResponse("/", status_code=303)
    set_session(response, request, signed_in)
    return response


def _sign_in_page(next_page: str, *, email: str = "", refused: LockstepError | None = None) -> View:
    wants_code = isinstance(refused, SecondFactorRequired)
    model = {"next": safe_next(next_page), "email": email, "refused": refused, "wants_code": wants_code}
    return View("access/sign_in.html", "Sign in", model, status=_status(refused))


def _step_up_page(request: Request, next_page: str, *, refused: LockstepError | None = None) -> View:
    model = {"next": safe_next(next_page), "refused": refused, "email": caller_in(request).email}
    return View("access/step_up.html", "Confirm your password", model, status=_status(refused))


async def _invitation_page(
    context: Context, request: Request, *, name: str = "", email: str = "", refused: LockstepError | None = None
) -> View:
    invitation = await actions.read_invitation(context, request.path_params["secret"])
    model = {
        "invitation": invitation,
        "name": name or invitation.display_name,
        "email": email or invitation.email,
        "refused": refused,
    }
    return View("access/invitation.html", "Set your password", model, status=_status(refused))


def _status(refused: LockstepError | None) -> int:
    return STATUSES[refused.kind] if refused is not None else 200
