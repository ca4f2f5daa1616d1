"""Settings: the provider through which administrators sign in, and the roles of its groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import applications
from lockstep.actions import identity_providers as actions
from lockstep.actions.context import Context
from lockstep.actions.identity_providers import CALLBACK, ProviderChange
from lockstep.actions.permissions import ROLE_NAMES, Role
from lockstep.errors import LockstepError, invalid
from lockstep.kit.cookies import origin_of
from lockstep.oidc.provider import Metadata
from lockstep.vault import Secret
from lockstep.web.page import CopyAs, PageAnswer, Pages, Redirect, View, on_the_form

pages = Pages()
HERE = "/settings/sso"
_EMPTY_ROWS = 2  # empty rows below the existing roles


@dataclass(frozen=True, slots=True)
class RoleLine:
    """One row of the table of roles, as typed."""

    value: str = ""
    role: str = ""
    app: str = ""


@pages.get(HERE)
async def show_identity_provider(context: Context, request: Request) -> View:
    return await _page(context, request)


@pages.post(HERE)
async def save_identity_provider(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    change = _change(form)
    try:
        saved = await actions.set_identity_provider(context, change)
    except LockstepError as refused:
        return await _page(context, request, typed=change, lines=_lines(form), refused=on_the_form(refused))
    return Redirect(HERE, notice=f"The sign-in page shows: Sign in with {saved.name}")


@pages.post(f"{HERE}/test")
async def test_provider(context: Context, request: Request) -> View:
    try:
        return await _page(context, request, tested=await actions.test_provider(context))
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))


@pages.post(f"{HERE}/remove")
async def remove_identity_provider(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    if str(form.get("confirmation", "")).strip() != "remove":
        wrong = invalid("The confirmation is missing. Nothing was removed", next_step="Type remove to confirm")
        return await _page(context, request, refused=wrong)
    gone = await actions.remove_identity_provider(context)
    return Redirect(HERE, notice=f"{gone.name} can no longer be used to sign in")


def _change(form: FormData) -> ProviderChange:
    secret = str(form.get("client_secret", "")).strip()
    return ProviderChange(
        str(form.get("name", "")),
        str(form.get("issuer", "")).strip(),
        str(form.get("client_id", "")).strip(),
        secret=Secret(secret) if secret else None,
        scopes=str(form.get("scopes", "")).split(),
        roles_claim=str(form.get("roles_claim", "")),
        trusts_email=form.get("trusts_email") == "on",
        roles=[
            (one.value, Role(one.role), one.app if one.role == Role.APPLICATION_OWNER else "") for one in _lines(form)
        ],
    )


def _lines(form: FormData) -> list[RoleLine]:
    """Return the rows of the table that have both a value and a role."""
    columns = zip(form.getlist("value"), form.getlist("role"), form.getlist("app"), strict=False)
    known = {role.value for role in Role}
    return [
        RoleLine(str(value).strip(), str(role), str(app))
        for value, role, app in columns
        if str(value).strip() and str(role) in known
    ]


async def _page(
    context: Context,
    request: Request,
    *,
    typed: ProviderChange | None = None,
    lines: Sequence[RoleLine] | None = None,
    tested: Metadata | None = None,
    refused: LockstepError | None = None,
) -> View:
    present = await actions.show_identity_provider(context)
    if lines is None:
        lines = [RoleLine(one.value, one.role, one.app_name or "") for one in present.roles] if present else []
    model = {
        "present": present,
        "typed": typed or (actions.change_of(present) if present else ProviderChange("", "", "")),
        "lines": [*lines, *[RoleLine()] * _EMPTY_ROWS],
        "roles": [("", "No access"), *((role.value, name) for role, name in ROLE_NAMES.items())],
        "apps": [("", "-"), *((one.name, one.display_name) for one in await applications.list_applications(context))],
        "redirect_uri": origin_of(request) + CALLBACK,
        "tested": tested,
        "refused": refused,
        "here": HERE,
    }
    return View(
        "settings/identity_provider.html",
        "Single sign-on",
        model,
        section="Settings",
        lead="Administrators sign in with their account at an OpenID Connect provider. Their groups there decide their roles.",
        copy_as=CopyAs(command="lockstep admins sso show", api="/api/v1/single-sign-on"),
        status=400 if refused else 200,
    )
