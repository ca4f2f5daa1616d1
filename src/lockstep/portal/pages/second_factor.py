"""Second factors of the person: an authenticator app, and passkeys."""

from __future__ import annotations

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse

from lockstep.actions.passkey_proofs import PasskeyAnswer
from lockstep.actions.person_sign_in import person_passkeys, person_totp
from lockstep.actions.person_sign_in.sessions import BY_PASSWORD
from lockstep.errors import LockstepError
from lockstep.kit.cookies import origin_of
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import PageAnswer, PageView, Redirect, address, on_the_form
from lockstep.portal.cookies import HOME, session_secret, set_session, visitor_of
from lockstep.portal.page import PortalContext, PortalPages
from lockstep.portal.pages.sign_in import next_of

pages = PortalPages()
FACTOR = "/myapps/second-factor"
PASSKEYS = f"{FACTOR}/passkeys"


@pages.get(FACTOR)
async def show_factor(context: PortalContext, request: Request) -> PageAnswer:
    return await _page(context, request, back=next_of(request.query_params.get("next", "")))


@pages.post(FACTOR)
async def begin_factor(context: PortalContext, request: Request) -> PageAnswer:
    """Show the QR code after the person has entered the password again. The second factor takes effect when a first code has been
    entered.
    """
    form = await request.form()
    back = next_of(str(form.get("next", "")))
    try:
        made = await person_totp.begin_factor(
            context.actions, session_secret(request), str(form.get("password", "")), visitor=visitor_of(request)
        )
    except LockstepError as refused:
        return await _page(context, request, back=back, refused=on_the_form(refused))
    code = segno.make(made.uri, error="m")
    picture = Markup(code.svg_inline(scale=4, border=2, dark="#000", light="#fff", lineclass=None))  # noqa: S704  # numbers alone
    model = {"seed": made.seed, "picture": picture, "back": back}
    return PageView("portal/new_factor.html", "Add a second factor", model)


@pages.post(f"{FACTOR}/confirm")
async def confirm_factor(context: PortalContext, request: Request) -> PageAnswer:
    form = await request.form()
    back = next_of(str(form.get("next", "")))
    try:
        signed_in = await person_totp.confirm_factor(
            context.actions, session_secret(request), str(form.get("code", ""))
        )
    except LockstepError as refused:
        return await _page(context, request, back=back, refused=on_the_form(refused))
    response = RedirectResponse(back, status_code=303)
    set_session(response, request, signed_in)
    return response


@pages.post(PASSKEYS)
async def begin_passkey(context: PortalContext, request: Request) -> PageAnswer:
    """Show the page on which the browser creates a passkey, after the person has entered the password again."""
    form = await request.form()
    back = next_of(str(form.get("next", "")))
    try:
        question = await person_passkeys.begin_own_passkey(
            context.actions,
            session_secret(request),
            str(form.get("password", "")),
            PasskeyAnswer(origin_of(request)),
            visitor=visitor_of(request),
        )
    except LockstepError as refused:
        return await _page(context, request, back=back, refused=on_the_form(refused))
    model = {"question": question, "here": PASSKEYS, "up": FACTOR, "back": back}
    return PageView("portal/new_passkey.html", "Add a passkey", model)


@pages.post(f"{PASSKEYS}/add")
async def add_passkey(context: PortalContext, request: Request) -> PageAnswer:
    form = await request.form()
    back = next_of(str(form.get("next", "")))
    given = PasskeyAnswer(origin_of(request), str(form.get("seal", "")), str(form.get("passkey", "")))
    try:
        signed_in = await person_passkeys.add_own_passkey(
            context.actions, session_secret(request), given, name=str(form.get("name", ""))
        )
    except LockstepError as refused:
        return await _page(context, request, back=back, refused=on_the_form(refused))
    response = RedirectResponse(FACTOR if back == HOME else back, status_code=303)
    set_session(response, request, signed_in)
    return response


@pages.post(f"{PASSKEYS}/rename")
async def rename_passkey(context: PortalContext, request: Request) -> PageAnswer:
    form = await request.form()
    try:
        await person_passkeys.rename_own_passkey(
            context.actions, session_secret(request), str(form.get("passkey", "")), str(form.get("name", ""))
        )
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    return Redirect(FACTOR, notice="The passkey was renamed")


@pages.get(PASSKEYS)
async def show_passkey(context: PortalContext, request: Request) -> PageAnswer:
    """Show the page on which one passkey is renamed or removed."""
    return await _passkey_page(context, request, request.query_params.get("passkey", ""))


@pages.post(f"{PASSKEYS}/remove")
async def remove_passkey(context: PortalContext, request: Request) -> PageAnswer:
    form = await request.form()
    passkey = str(form.get("passkey", ""))
    try:
        await person_passkeys.remove_own_passkey(
            context.actions,
            session_secret(request),
            passkey,
            str(form.get("password", "")),
            visitor=visitor_of(request),
        )
    except LockstepError as refused:
        return await _passkey_page(context, request, passkey, refused=on_the_form(refused))
    return Redirect(FACTOR, notice="The passkey was removed")


async def _passkey_page(
    context: PortalContext, request: Request, passkey: str, *, refused: LockstepError | None = None
) -> PageView:
    known = await person_passkeys.list_own_passkeys(context.actions, session_secret(request))
    found = next((one for one in known if one.id == passkey), None)
    if found is None:
        return await _page(context, request, refused=refused)
    model = {"passkey": found, "here": PASSKEYS, "up": FACTOR, "refused": refused}
    status = STATUSES[refused.kind] if refused else 200
    return PageView("portal/passkey.html", "Passkey", model, status=status)


async def _page(
    context: PortalContext, request: Request, *, back: str = HOME, refused: LockstepError | None = None
) -> PageView:
    person = context.person()
    model = {
        "has_app": person.has_app,
        "has_password": not BY_PASSWORD.isdisjoint(person.methods),
        "passkeys": [
            (one, address(PASSKEYS, passkey=one.id))
            for one in await person_passkeys.list_own_passkeys(context.actions, session_secret(request))
        ],
        "here": FACTOR,
        "back": back,
        "refused": refused,
    }
    status = STATUSES[refused.kind] if refused else 200
    return PageView("portal/factor.html", "Second factor", model, status=status)
