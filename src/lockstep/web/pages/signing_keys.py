"""Settings: the keys that sign OpenID Connect tokens for all applications."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on import openid_keys
from lockstep.errors import LockstepError
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form

pages = Pages()
HERE = "/settings/signing-keys"


@pages.get(HERE)
async def show_keys(context: Context, request: Request) -> View:
    return await _page(context)


@pages.post(f"{HERE}/roll")
async def roll(context: Context, request: Request) -> PageAnswer:
    """Change the active key. Withdrawing the old one needs confirmation, because applications then refuse tokens that it signed."""
    form = await request.form()
    is_compromised = form.get("compromised") == "yes"
    if is_compromised and form.get("confirmed") != "yes":
        return await _page(context, withdraws=True)
    try:
        await openid_keys.roll_openid_keys(context, is_compromised=is_compromised)
    except LockstepError as refused:
        return await _page(context, refused=on_the_form(refused))
    return Redirect(HERE, notice="Tokens are signed with the next key from now on")


async def _page(context: Context, *, refused: LockstepError | None = None, withdraws: bool = False) -> View:
    keys = await openid_keys.list_openid_keys(context)
    upcoming = next((one for one in keys if one.state == "next"), None)
    model = {
        "here": HERE,
        "keys": keys,
        "refused": refused,
        "withdraws": withdraws,
        "usable_from": upcoming.published_at + openid_keys.CACHED if upcoming else None,
        "is_ready": upcoming is not None and upcoming.published_at + openid_keys.CACHED <= context.now(),
        "may_write": context.actor.everywhere(Permission.ORGANISATION_WRITE),
    }
    return View(
        "settings/signing_keys.html",
        "Signing keys",
        model,
        section="Settings",
        subtab="People's sign-in",
        parents=[Crumb("People's sign-in", "/settings/people-sign-in")],
        lead="They sign the tokens of every application that uses OpenID Connect. Applications read them from Lockstep.",
        copy_as=CopyAs(command="lockstep sso keys list", api="/api/v1/signing-keys"),
        status=400 if refused else 200,
    )
