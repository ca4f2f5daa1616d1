"""Signing in and out, entering the password again before a sensitive change, and one-time links."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lockstep.actions import federated_sign_in as federated
from lockstep.actions import identity_providers
from lockstep.actions import sign_in as actions
from lockstep.actions.callers import Caller
from lockstep.actions.context import Context
from lockstep.actions.passkey_proofs import PasskeyAnswer
from lockstep.actions.totp import SecondFactorRequired
from lockstep.errors import Kind, LockstepError
from lockstep.kit.cookies import address_of, cookie_in, device_of, origin_of
from lockstep.kit.opened_links import INSTEAD_OF, TEMPLATE, is_answered, question
from lockstep.kit.page_errors import STATUSES
from lockstep.web.callers import (
    ATTEMPT_COOKIE,
    SIGN_IN,
    STEP_UP,
    THROUGH_PROVIDER,
    caller_in,
    end_session,
    forget_attempt,
    keep_attempt,
    safe_next,
    session_secret,
    set_session,
)
from lockstep.web.page import PageAnswer, Pages, Redirect, View, on_the_form

pages = Pages()
SIGNED_OUT = "/signed-out"


@pages.get(SIGN_IN, is_public=True)
async def show_sign_in(context: Context, request: Request) -> PageAnswer:
    if request.state.caller is not None:
        return Redirect(safe_next(request.query_params.get("next", "/")))
    return await _sign_in_page(context, request.query_params.get("next", "/"))


@pages.post(SIGN_IN, is_public=True)
async def sign_in(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    email, next_page = str(form.get("email", "")), str(form.get("next", "/"))
    try:
        signed_in = await actions.sign_in(
            context,
            email,
            str(form.get("password", "")),
            str(form.get("code", "")),
            passkey=PasskeyAnswer(origin_of(request), str(form.get("seal", "")), str(form.get("passkey", ""))),
            device=device_of(request),
            address=address_of(request),
            replaces=session_secret(request),
        )
    except LockstepError as refused:
        return await _sign_in_page(context, next_page, email=email, refused=on_the_form(refused))
    response = RedirectResponse(safe_next(next_page), status_code=303)
    set_session(response, request, signed_in)
    return response


@pages.post("/sign-out")
async def sign_out(context: Context, request: Request) -> Response:
    await actions.sign_out(context, session_secret(request))
    response = RedirectResponse(SIGNED_OUT if caller_in(request).is_federated else SIGN_IN, status_code=303)
    end_session(response, request)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@pages.get(SIGNED_OUT, is_public=True)
async def show_signed_out(context: Context, request: Request) -> PageAnswer:
    """Show the page that follows signing out. It is for administrators who may still be signed in at the single sign-on provider."""
    if request.state.caller is not None:
        return Redirect("/")
    name = await identity_providers.provider_name(context)
    if not name:
        return Redirect(SIGN_IN)
    model = {"provider": name, "address": await identity_providers.sign_out_address(context)}
    return View("access/signed_out.html", "You are signed out", model)


@pages.get(THROUGH_PROVIDER, is_public=True)
async def leave_for_provider(context: Context, request: Request) -> PageAnswer:
    return await _leave(context, request)


@pages.get(f"{STEP_UP}/sso")
async def confirm_through_provider(context: Context, request: Request) -> PageAnswer:
    return await _leave(context, request, session=session_secret(request))


@pages.get(identity_providers.CALLBACK, is_public=True)
async def come_back(context: Context, request: Request) -> PageAnswer:
    """Finish a sign-in after the provider has redirected the browser here. The cookie of the attempt proves that the sign-in began in this
    browser.
    """
    try:
        arrival = await federated.finish(
            context,
            cookie_in(request, ATTEMPT_COOKIE),
            dict(request.query_params),
            session_secret=session_secret(request),
            device=device_of(request),
            address=address_of(request),
        )
    except LockstepError as refused:
        return await _not_let_in(context, refused)
    response = RedirectResponse(safe_next(arrival.next_page), status_code=303)
    set_session(response, request, arrival.signed_in)
    forget_attempt(response, request)
    return response


@pages.get(STEP_UP)
async def show_step_up(context: Context, request: Request) -> View:
    return await _step_up_page(context, request, request.query_params.get("next", "/"))


@pages.post(STEP_UP)
async def step_up(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    next_page = str(form.get("next", "/"))
    try:
        signed_in = await actions.step_up(context, session_secret(request), str(form.get("password", "")))
    except LockstepError as refused:
        return await _step_up_page(context, request, next_page, refused=on_the_form(refused))
    response = RedirectResponse(safe_next(next_page), status_code=303)
    set_session(response, request, signed_in)
    return response


@pages.get("/invitations/{secret}", is_public=True)
async def show_invitation(context: Context, request: Request) -> View:
    """Show the form for accepting an invitation. If this browser is signed in as somebody else, ask first, because the link replaces that
    session.
    """
    given = request.query_params.get(INSTEAD_OF, "")
    return await _question(context, request, given) or await _invitation_page(context, request, given=given)


@pages.post("/invitations/{secret}", is_public=True)
async def accept_invitation(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    secret, name, email = request.path_params["secret"], str(form.get("name", "")), str(form.get("email", ""))
    given = str(form.get(INSTEAD_OF, ""))
    if asked := await _question(context, request, given):
        return asked
    try:
        signed_in = await actions.accept_invitation(
            context, secret, name, str(form.get("password", "")), email=email, device=device_of(request),
            replaces=session_secret(request),
        )  # fmt: skip
    except LockstepError as refused:
        return await _invitation_page(
            context, request, given=given, name=name, email=email, refused=on_the_form(refused)
        )
    response = RedirectResponse("/", status_code=303)
    set_session(response, request, signed_in)
    return response


async def _leave(context: Context, request: Request, *, session: str = "") -> PageAnswer:
    try:
        departure = await federated.begin(
            context,
            redirect_uri=origin_of(request) + identity_providers.CALLBACK,
            next_page=safe_next(request.query_params.get("next", "/")),
            session_secret=session,
        )
    except LockstepError as refused:
        return await _not_let_in(context, refused)
    response = RedirectResponse(departure.url, status_code=303)
    keep_attempt(response, request, departure)
    return response


async def _not_let_in(context: Context, refused: LockstepError) -> View:
    if refused.kind is Kind.INTERNAL:
        raise refused
    model = {"refused": refused, "provider": await identity_providers.provider_name(context)}
    return View("access/not_let_in.html", "Sign-in failed", model, status=_status(refused))


async def _sign_in_page(
    context: Context, next_page: str, *, email: str = "", refused: LockstepError | None = None
) -> View:
    model = {
        "next": safe_next(next_page),
        "email": email,
        "refused": refused,
        "wants_code": isinstance(refused, SecondFactorRequired),
        "question": refused.question if isinstance(refused, SecondFactorRequired) else None,
        "provider": await identity_providers.provider_name(context),
    }
    return View("access/sign_in.html", "Sign in", model, status=_status(refused))


async def _step_up_page(
    context: Context, request: Request, next_page: str, *, refused: LockstepError | None = None
) -> View:
    caller = caller_in(request)
    model = {
        "next": safe_next(next_page),
        "is_form_lost": request.query_params.get("sent") == "yes",
        "refused": refused,
        "email": caller.email,
        "provider": await identity_providers.provider_name(context) if caller.is_federated else "",
    }
    heading = "Confirm who you are" if caller.is_federated else "Confirm your password"
    return View("access/step_up.html", heading, model, status=_status(refused))


async def _question(context: Context, request: Request, given: str) -> View | None:
    caller: Caller | None = request.state.caller
    if caller is None or is_answered(given, caller.session):
        return None
    owner = (await actions.read_invitation(context, request.path_params["secret"])).email
    if owner == caller.email:
        return None
    model = question(request.url.path, owner=owner, signed_in=caller.email, session=caller.session, home="/")
    return View(TEMPLATE, "Somebody else is signed in", model)


async def _invitation_page(
    context: Context, request: Request, *, given: str, name: str = "", email: str = "",
    refused: LockstepError | None = None,
) -> View:  # fmt: skip
    invitation = await actions.read_invitation(context, request.path_params["secret"])
    model = {
        "invitation": invitation,
        "instead_of": given,
        "name": name or invitation.display_name,
        "email": email or invitation.email,
        "refused": refused,
    }
    return View("access/invitation.html", "Set your password", model, status=_status(refused))


def _status(refused: LockstepError | None) -> int:
    return STATUSES[refused.kind] if refused is not None else 200
