"""The versions of an application's configuration, and what each one changed."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from lockstep.actions import applications, configuration_history
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.change import ConfigChange
from lockstep.errors import LockstepError
from lockstep.web.page import CopyAs, PageAnswer, Pages, Redirect, View, address, on_the_form
from lockstep.web.pages.app_overview import place_of

pages = Pages()
SIZE = 50


@pages.get("/apps/{app}/provisioning/history")
async def show(context: Context, request: Request) -> View:
    return await _page(context, request)


@pages.post("/apps/{app}/provisioning/history")
async def comment(context: Context, request: Request) -> PageAnswer:
    form, app = await request.form(), request.path_params["app"]
    version, text = _number(str(form.get("version", "")), 0), str(form.get("comment", ""))
    try:
        await configuration_history.comment_on_version(context, app, version, text)
    except LockstepError as refused:
        return await _page(context, request, version=version, refused=on_the_form(refused), typed=text)
    return Redirect(address(request.url.path, version=str(version)), notice="The comment was saved")


async def _page(
    context: Context, request: Request, *, version: int = 0, refused: LockstepError | None = None, typed: str = ""
) -> View:
    app = await applications.show_application(context, request.path_params["app"])
    place, query = place_of(app), request.query_params
    below = _number(query.get("below", ""), 0) or None
    found = await configuration_history.list_versions(context, place.name, below=below, limit=SIZE + 1)
    first = await configuration_history.list_versions(context, place.name, limit=1) if below else found
    versions, newest = found[:SIZE], first[0].version if first else 0
    new = version or _number(query.get("version", ""), newest)
    old = _number(query.get("with", ""), max(new - 1, 0))
    chosen = await configuration_history.list_versions(context, place.name, below=new + 1, limit=1)
    changes: Sequence[ConfigChange] = ()
    if newest:
        changes = await configuration_history.compare_versions(context, place.name, old, new)
    here = f"{place.href}/provisioning/history"
    model = {
        "versions": versions,
        "newest": newest,
        "new": new,
        "old": old,
        "changes": changes,
        "comment": typed or (chosen[0].comment if chosen else ""),
        "refused": refused,
        "has_comments": any(one.comment for one in versions),
        "here": here,
        "below": below,
        "next": address(here, below=str(versions[-1].version)) if len(found) > SIZE else None,
        "first": here if below else None,
        "restore": f"{place.href}/provisioning/configuration",
        "may_write": context.actor.may(Permission.CONFIGURATION_WRITE, app.application.id),
    }
    return View(
        "provisioning/history.html",
        "Configuration history",
        model,
        app=place,
        tab="Provisioning",
        subtab="History",
        lead="Every save creates a version. The newest version is active.",
        copy_as=CopyAs(
            command=f"lockstep config history {place.name}", api=f"/api/v1/applications/{place.name}/versions"
        ),
        live="change",
        status=400 if refused else 200,
    )


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else otherwise
