"""Settings: the caller's own sessions, password and second factor."""

from __future__ import annotations

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse

from lockstep.actions import own_password, passkeys, second_factor, sessions
from lockstep.actions.context import Context
from lockstep.actions.passkey_proofs import PasskeyAnswer
from lockstep.errors import LockstepError
from lockstep.kit.cookies import origin_of
from lockstep.kit.page_errors import STATUSES
from lockstep.web.callers import caller_in, session_secret, set_session
from lockstep.web.page import Crumb, PageAnswer, Pages, Redirect, View, on_the_form

pages = Pages()
HERE = "/settings/sessions"


@pages.get(HERE)
async def show_sessions(context: Context, request: Request) -> View:
    return await _page(context, request)


@pages.post(f"{HERE}/end")
async def end_session(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    await sessions.end_session(context, session_secret(request), str(form.get("session", "")))
    return Redirect(HERE, notice="The session was ended")


@pages.post(f"{HERE}/password")
async def change_password(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    try:
        signed_in = await own_password.change_password(
            context, session_secret(request), str(form.get("password", "")), str(form.get("new_password", ""))
        )
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    response = RedirectResponse(HERE, status_code=303)
    set_session(response, request, signed_in)
    return response


@pages.post(f"{HERE}/second-factor")
async def begin(context: Context, request: Request) -> PageAnswer:
    """Show the QR code. The second factor takes effect when a first code has been entered."""
    try:
        made = await second_factor.begin_second_factor(context, session_secret(request))
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    model = {"seed": made.seed, "picture": _picture(made.uri), "here": HERE, "refused": None}
    return View(
        "settings/second_factor.html", "Second factor", model, section="Settings", parents=[Crumb("Sessions", HERE)]
    )


@pages.post(f"{HERE}/second-factor/confirm")
async def confirm(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    try:
        codes = await second_factor.confirm_second_factor(context, session_secret(request), str(form.get("code", "")))
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    return View(
        "settings/recovery_codes.html",
        "Recovery codes",
        {"codes": codes, "back": HERE},
        section="Settings",
        parents=[Crumb("Sessions", HERE)],
    )


@pages.post(f"{HERE}/second-factor/remove")
async def remove(context: Context, request: Request) -> PageAnswer:
    await second_factor.remove_second_factor(context, session_secret(request))
    return Redirect(HERE, notice="The second factor was removed. You now sign in with only your password")


@pages.post(f"{HERE}/passkeys")
async def begin_passkey(context: Context, request: Request) -> PageAnswer:
    """Show the page on which the browser creates a passkey."""
    try:
        question = await passkeys.begin_passkey(context, session_secret(request), PasskeyAnswer(origin_of(request)))
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    return View(
        "settings/passkey.html",
        "Add a passkey",
        {"question": question, "here": HERE},
        section="Settings",
        parents=[Crumb("Sessions", HERE)],
    )


@pages.post(f"{HERE}/passkeys/add")
async def add_passkey(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    given = PasskeyAnswer(origin_of(request), str(form.get("seal", "")), str(form.get("passkey", "")))
    try:
        await passkeys.add_passkey(context, session_secret(request), given, name=str(form.get("name", "")))
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    return Redirect(HERE, notice="The passkey was added")


@pages.post(f"{HERE}/passkeys/remove")
async def remove_passkey(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    await passkeys.remove_passkey(context, session_secret(request), str(form.get("passkey", "")))
    return Redirect(HERE, notice="The passkey was removed")


async def _page(context: Context, request: Request, *, refused: LockstepError | None = None) -> View:
    caller = caller_in(request)
    model = {
        "sessions": await sessions.list_sessions(context, session_secret(request)),
        "current": caller.session,
        "email": caller.email,
        "is_federated": caller.is_federated,
        "has_second_factor": await second_factor.has_second_factor(context, session_secret(request)),
        "passkeys": await passkeys.list_passkeys(context, session_secret(request)),
        "refused": refused,
        "here": HERE,
    }
    status = STATUSES[refused.kind] if refused else 200
    return View("settings/sessions.html", "Sessions", model, section="Settings", status=status)


def _picture(uri: str) -> Markup:
    """Return the QR code as SVG. segno builds it from numbers only, so it is safe to insert unescaped."""
    code = segno.make(uri, error="m")
    return Markup(code.svg_inline(scale=4, border=2, dark="#000", light="#fff", lineclass=None))  # noqa: S704
