"""Settings: access tokens, for people and for services."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request

from lockstep.actions import access_tokens as actions
from lockstep.actions.context import Context
from lockstep.actions.permissions import MEANINGS, SCOPES, Permission
from lockstep.errors import LockstepError
from lockstep.web.callers import caller_in
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form

pages = Pages()
HERE = "/settings/tokens"
LENGTHS = [("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "1 year")]


@pages.get(HERE)
async def list_tokens(context: Context, request: Request) -> View:
    return View(
        "settings/tokens.html",
        "Access tokens",
        {"tokens": await actions.list_tokens(context), "here": HERE},
        section="Settings",
        copy_as=CopyAs(command="lockstep token list", api="/api/v1/tokens"),
    )


@pages.get(f"{HERE}/new")
async def show_new(context: Context, request: Request) -> View:
    return await _new(context, request)


@pages.post(HERE)
async def create(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    name, days = str(form.get("name", "")).strip(), str(form.get("days", "90"))
    scopes = [str(one) for one in form.getlist("scope")]
    length = timedelta(days=int(days)) if days in dict(LENGTHS) else timedelta(days=90)
    is_service = form.get("kind") == "service"
    try:
        make = actions.create_service_token if is_service else actions.create_personal_token
        made = await make(context, name, scopes, expires_in=length)
    except LockstepError as refused:
        return await _new(context, request, refused=on_the_form(refused), name=name, chosen=scopes)
    return View(
        "settings/token.html",
        "New access token",
        {"token": made, "back": HERE},
        section="Settings",
        parents=[Crumb("Access tokens", HERE)],
    )


@pages.post(f"{HERE}/{{token}}/revoke")
async def revoke(context: Context, request: Request) -> PageAnswer:
    gone = await actions.revoke_token(context, request.path_params["token"])
    return Redirect(HERE, notice=f"The token {gone.name} no longer works")


async def _new(
    context: Context,
    request: Request,
    *,
    refused: LockstepError | None = None,
    name: str = "",
    chosen: list[str] | None = None,
) -> View:
    actor = caller_in(request).actor
    able = [one for one in Permission if one in SCOPES and one in (actor.permissions | actor.own_permissions)]
    model = {
        "scopes": [(one.value, MEANINGS[one]) for one in able],
        "chosen": frozenset(chosen or ()),
        "lengths": LENGTHS,
        "may_make_services": Permission.SERVICE_TOKENS_WRITE in actor.permissions,
        "refused": refused,
        "name": name,
        "here": HERE,
    }
    return View(
        "settings/token_new.html",
        "Create an access token",
        model,
        section="Settings",
        parents=[Crumb("Access tokens", HERE)],
        lead="A script or service uses a token instead of a password. The token is shown once.",
        copy_as=CopyAs(command="lockstep token create NAME", api="/api/v1/tokens"),
        status=400 if refused else 200,
    )
