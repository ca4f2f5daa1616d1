"""App roles of an application, as a list and as the manifest of Entra's *App registrations*. If a change affects accounts, its effects are
shown before it is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions import applications, roles
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.errors import Kind, LockstepError, invalid
from lockstep.web.page import AppPlace, CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form

pages = Pages()
TAB = "App roles"


async def _add(context: Context, app: str, form: FormData) -> str:
    value = str(form.get("value", "")).strip()
    made = await roles.add_role(
        context,
        app,
        value,
        display_name=str(form.get("displayName", "")).strip(),
        description=str(form.get("description", "")).strip(),
    )
    return f"The role {made.display_name} was added"


async def _remove(context: Context, app: str, form: FormData) -> str:
    role = str(form.get("role", ""))
    await roles.remove_role(context, app, role)
    return f"The role {role} was removed"


async def _enable(context: Context, app: str, form: FormData) -> str:
    role, is_enabled = str(form.get("role", "")), form.get("enabled") == "yes"
    await roles.set_role_enabled(context, app, role, is_enabled=is_enabled)
    return f"The role {role} was {'enabled' if is_enabled else 'disabled'}"


async def _move(context: Context, app: str, form: FormData) -> str:
    role, position = str(form.get("role", "")), str(form.get("position", ""))
    if not position.isdecimal():
        raise invalid("The position must be a number")
    place = await roles.move_role(context, app, role, position=int(position))
    return f"The role {role} is now number {place}"


_CHANGES: Mapping[str, Callable[[Context, str, FormData], Awaitable[str]]] = {
    "add": _add,
    "remove": _remove,
    "enable": _enable,
    "move": _move,
}


def _question(change: str, form: FormData) -> str:
    role = str(form.get("role") or form.get("value") or "")
    match change:
        case "enable":
            return f"{'Enable' if form.get('enabled') == 'yes' else 'Disable'} the role {role}?"
        case "move":
            return f"Move the role {role} to number {form.get('position')}?"
        case _:
            return f"{change.capitalize()} the role {role}?"


@pages.get("/apps/{app}/app-roles")
async def list_app_roles(context: Context, request: Request) -> View:
    return await _page(context, request.path_params["app"])


@pages.post("/apps/{app}/app-roles/{change}")
async def change_app_roles(context: Context, request: Request) -> PageAnswer:
    app, name = request.path_params["app"], request.path_params["change"]
    change = _CHANGES.get(name)
    if change is None:
        raise LockstepError(Kind.NOT_FOUND, "There is no page at this address")
    form = await request.form()

    async def work(inner: Context) -> str:
        return await change(inner, app, form)

    try:
        if form.get("step") != "confirm" and (lines := consequence_lines(await foresee(context, work))):
            return await _review(context, app, request, form, lines, _question(name, form))
        notice = await work(context)
    except LockstepError as refused:
        return await _page(context, app, refused=on_the_form(refused), typed=dict(form))
    return Redirect(f"/apps/{app}/app-roles", notice=notice)


@pages.get("/apps/{app}/app-roles/manifest")
async def show_manifest(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    text = _text(await roles.export_manifest(context, name))
    if request.query_params.get("download"):
        headers = {"Content-Disposition": f'attachment; filename="{name}-manifest.json"'}
        return Response(text, media_type="application/json", headers=headers)
    return await _manifest(context, name, text)


@pages.post("/apps/{app}/app-roles/manifest")
async def save_manifest(context: Context, request: Request) -> PageAnswer:
    name, form = request.path_params["app"], await request.form()
    text = str(form.get("manifest", ""))

    async def work(inner: Context) -> object:
        return await roles.import_manifest(inner, name, _read(text))

    try:
        if form.get("step") != "confirm" and (lines := consequence_lines(await foresee(context, work))):
            return await _review(context, name, request, form, lines, "Replace the roles by those of the manifest?")
        await work(context)
    except LockstepError as refused:
        return await _manifest(context, name, text, refused=on_the_form(refused))
    return Redirect(f"/apps/{name}/app-roles", notice="The manifest was saved")


async def _review(
    context: Context, name: str, request: Request, form: FormData, lines: Sequence[str], question: str
) -> View:
    app = await applications.show_application(context, name)
    place = AppPlace(app.application.name, app.application.display_name)
    here = f"{place.href}/app-roles"
    model = {
        "title": question,
        "text": "",
        "lines": lines,
        "action": request.url.path,
        "fields": [(key, str(value)) for key, value in form.multi_items() if key not in ("csrf", "step")],
        "button_label": "Change the roles",
        "is_danger": True,
        "back": here,
    }
    return View("review.html", "Change the app roles", model, app=place, tab=TAB, parents=[Crumb(TAB, here)])


async def _page(
    context: Context, name: str, *, refused: LockstepError | None = None, typed: Mapping[str, Any] | None = None
) -> View:
    app = await applications.show_application(context, name)
    place = AppPlace(app.application.name, app.application.display_name)
    model = {"roles": app.roles, "refused": refused, "typed": typed or {}, "action": f"{place.href}/app-roles"}
    return View(
        "app/roles.html",
        TAB,
        model,
        app=place,
        tab=TAB,
        lead="App registrations > App roles: the roles that you can assign to users and groups. If a person has "
        "several roles, the first in this list counts.",
        copy_as=CopyAs(command=f"lockstep apps roles list {name}", api=f"/api/v1/applications/{name}/roles"),
        status=400 if refused else 200,
    )


async def _manifest(context: Context, name: str, text: str, *, refused: LockstepError | None = None) -> View:
    app = await applications.show_application(context, name)
    place = AppPlace(app.application.name, app.application.display_name)
    action = f"{place.href}/app-roles/manifest"
    return View(
        "app/manifest.html",
        "Manifest",
        {"text": text, "refused": refused, "action": action},
        app=place,
        tab=TAB,
        parents=[Crumb(TAB, f"{place.href}/app-roles")],
        lead="The appRoles of Entra's application manifest. Saving replaces the whole list.",
        copy_as=CopyAs(command=f"lockstep apps roles manifest {name}"),
        status=400 if refused else 200,
    )


def _text(manifest: Mapping[str, Any]) -> str:
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2).decode()


def _read(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise invalid(
            f"The manifest is not JSON: {wrong.msg}, line {wrong.lineno}, column {wrong.colno}",
            next_step="Correct the manifest at this place",
        ) from None
