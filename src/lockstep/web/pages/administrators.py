"""Settings: the administrators, their roles, and the links with which they set a password."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import administrators as actions
from lockstep.actions import applications
from lockstep.actions.administrators import NewLink
from lockstep.actions.context import Context
from lockstep.actions.permissions import MEANINGS, ROLE_NAMES, TABLE, Permission, Role
from lockstep.errors import Kind, LockstepError
from lockstep.web.callers import caller_in
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form

pages = Pages()
HERE = "/settings/admins"
_HOLDERS = [(role.value, name) for role, name in ROLE_NAMES.items()]


async def _switch(context: Context, email: str, form: FormData) -> str:
    is_enabled = form.get("enabled") == "yes"
    await actions.set_enabled(context, email, is_enabled=is_enabled)
    return f"{email} may sign in again" if is_enabled else f"{email} can no longer sign in"


async def _sign_out(context: Context, email: str, _: FormData) -> str:
    ended = await actions.sign_out_everywhere(context, email)
    return f"{email} was signed out everywhere ({ended:,} sessions)"


async def _remove(context: Context, email: str, form: FormData) -> str:
    if str(form.get("confirmation", "")).strip() != email:
        raise LockstepError(
            Kind.INVALID, f"{email} was not typed. Nothing was removed", next_step="Type the address to confirm"
        )
    await actions.remove(context, email)
    return f"{email} is no longer an administrator"


async def _set_roles(context: Context, email: str, form: FormData) -> str:
    await actions.change_roles(context, email, _roles(form), owns=_owned(form))
    return f"The roles of {email} were changed"


_CHANGES: Mapping[str, Callable[[Context, str, FormData], Awaitable[str]]] = {
    "enable": _switch,
    "sign-out": _sign_out,
    "remove": _remove,
    "roles": _set_roles,
}


@pages.get(HERE)
async def list_administrators(context: Context, request: Request) -> View:
    return await _list(context)


@pages.post(HERE)
async def invite(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    email = str(form.get("email", "")).strip()
    try:
        link = await actions.invite(
            context, email, _roles(form), owns=_owned(form), display_name=str(form.get("name", "")).strip()
        )
    except LockstepError as refused:
        typed = {"email": email, "name": str(form.get("name", "")), "role": form.getlist("role")}
        return await _invitation(context, refused=on_the_form(refused), typed=typed)
    return _link_page(request, link, "Send this link to the new administrator")


@pages.get(f"{HERE}/invite")
async def show_invitation(context: Context, request: Request) -> View:
    return await _invitation(context)


@pages.get(f"{HERE}/{{email}}")
async def show_administrator(context: Context, request: Request) -> View:
    return await _one(context, request, request.path_params["email"])


@pages.post(f"{HERE}/{{email}}/reset-password")
async def reset_password(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    email = request.path_params["email"]
    link = await actions.reset_password(context, email, second_factor=form.get("second_factor") == "on")
    return _link_page(request, link, "Send this link to the administrator")


@pages.post(f"{HERE}/{{email}}/{{change}}")
async def change_administrator(context: Context, request: Request) -> PageAnswer:
    email, change = request.path_params["email"], _CHANGES.get(request.path_params["change"])
    if change is None:
        raise LockstepError(Kind.NOT_FOUND, "There is no page at this address")
    form = await request.form()
    try:
        notice = await change(context, email, form)
    except LockstepError as refused:
        return await _one(context, request, email, refused=on_the_form(refused))
    return Redirect(HERE if change is _remove else f"{HERE}/{email}", notice=notice)


def _roles(form: FormData) -> list[Role]:
    return [Role(str(one)) for one in form.getlist("role") if str(one) in {role.value for role in Role}]


def _owned(form: FormData) -> list[str]:
    return [str(one) for one in form.getlist("owns")]


async def _list(context: Context) -> View:
    model = {
        "administrators": await actions.list_administrators(context),
        "role_names": ROLE_NAMES,
        "roles": _HOLDERS,
        "table": _table(),
        "may_write": context.actor.everywhere(Permission.ADMINISTRATORS_WRITE),
        "here": HERE,
    }
    return View(
        "settings/administrators.html",
        "Administrators",
        model,
        section="Settings",
        copy_as=CopyAs(command="lockstep admins list", api="/api/v1/administrators"),
    )


async def _invitation(
    context: Context, *, refused: LockstepError | None = None, typed: Mapping[str, object] | None = None
) -> View:
    context.actor.require(Permission.ADMINISTRATORS_WRITE)
    model = {
        "roles": _HOLDERS,
        "apps": await applications.list_applications(context),
        "refused": refused,
        "typed": {"email": "", "name": "", "role": [], **(typed or {})},
        "here": HERE,
    }
    return View(
        "settings/invite.html",
        "Invite an administrator",
        model,
        section="Settings",
        parents=[Crumb("Administrators", HERE)],
        lead="You get a one-time link to send.",
        copy_as=CopyAs(command="lockstep admins invite EMAIL --role ROLE"),
        status=400 if refused else 200,
    )


async def _one(context: Context, request: Request, email: str, *, refused: LockstepError | None = None) -> View:
    found = next((one for one in await actions.list_administrators(context) if one.email == email), None)
    if found is None:
        raise LockstepError(Kind.NOT_FOUND, f"{email} is not an administrator", next_step="Choose one in the list")
    model = {
        "one": found,
        "roles": _HOLDERS,
        "held": {role.value for role in found.roles},
        "held_names": [ROLE_NAMES[role] for role in found.roles],
        "apps": await applications.list_applications(context),
        "is_self": caller_in(request).email == email,
        "refused": refused,
        "here": f"{HERE}/{email}",
    }
    return View(
        "settings/administrator.html",
        found.display_name or found.email,
        model,
        section="Settings",
        parents=[Crumb("Administrators", HERE)],
        copy_as=CopyAs(command=f"lockstep admins set {email} --role ROLE"),
        status=400 if refused else 200,
    )


def _link_page(request: Request, link: NewLink, text: str) -> View:
    """Show the link. No other page ever shows it."""
    address = f"{request.url.scheme}://{request.url.netloc}{link.path}"
    model = {"link": link, "address": address, "text": text, "back": HERE}
    return View(
        "settings/link.html", "One-time link", model, section="Settings", parents=[Crumb("Administrators", HERE)]
    )


def _table() -> Sequence[tuple[str, Sequence[bool]]]:
    """Return the table of roles: one row for each permission, with its meaning and the roles that include it."""
    return [(MEANINGS[one], [role in TABLE[one] for role in ROLE_NAMES]) for one in Permission]
