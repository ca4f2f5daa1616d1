"""The step before provisioning is switched on for the first time: what would be done to everyone, and the choice to go on or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from lockstep.actions import job_previews, provisioning, provisioning_pages, settings, switching_on
from lockstep.actions.applied_previews import why_not_applied
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.rows.previews import ACTIONS
from lockstep.errors import LockstepError
from lockstep.web.page import AppPlace, CopyAs, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.pages.previews import objects_of

pages = Pages()
HERE = "/apps/{app}/provisioning/switch-on"
_LEAD = "See what would be done to everyone, then choose. Nothing is written before you do."


async def save_settings(context: Context, place: AppPlace, changes: Mapping[str, Any]) -> Redirect:
    """Save the changes of settings. If they switch provisioning on for the first time, lead to the preview that comes before."""
    here = f"{place.href}/provisioning"
    if changes.get("status") != "on":
        if changes:
            await settings.change_settings(context, place.name, **changes)
        return Redirect(f"{here}/settings", notice="Saved")
    others = {name: value for name, value in changes.items() if name != "status"}
    if await switching_on.switch_on(context, place.name, others) is not None:
        return Redirect(f"{here}/switch-on", notice="Saved. Provisioning is still off")
    return Redirect(here, notice="Saved. Provisioning is on")


@pages.get(HERE)
async def show(context: Context, request: Request) -> PageAnswer:
    return await _page(context, request)


@pages.post(HERE)
async def switch_on(context: Context, request: Request) -> PageAnswer:
    """Switch provisioning on, whatever a preview shows. A preview that the caller began and that is still being made is stopped."""
    name = request.path_params["app"]
    try:
        await provisioning.start(context, name)
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    await switching_on.stop_own_preview(context, name)
    return Redirect(f"/apps/{name}/provisioning", notice="Provisioning is on")


@pages.post(HERE + "/preview")
async def preview(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    try:
        await job_previews.begin_preview(context, name)
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    return Redirect(f"/apps/{name}/provisioning/switch-on")


@pages.post(HERE + "/cancel")
async def cancel(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    await switching_on.stop_own_preview(context, name)
    return Redirect(f"/apps/{name}/provisioning/settings", notice="Provisioning stays off. Nothing was written")


async def _page(context: Context, request: Request, *, refused: LockstepError | None = None) -> PageAnswer:
    """Show the newest preview and the choice. If provisioning is on already, redirect to the overview."""
    setup = await provisioning_pages.show_setup(context, request.path_params["app"])
    place = AppPlace(setup.app, setup.display_name)
    if setup.is_on:
        return Redirect(f"{place.href}/provisioning")
    here = f"{place.href}/provisioning/switch-on"
    row = next(iter(await job_previews.list_previews(context, place.name, limit=1)), None)
    if row is not None and row.applied_by:
        row = None
    not_applied = why_not_applied(row, place.name, context.now()) if row is not None else None
    model: dict[str, object] = {
        "here": here,
        "setup": setup,
        "row": row,
        "refused": refused,
        "may_control": context.actor.may(Permission.PROVISIONING_CONTROL, setup.id),
        "not_applied": not_applied,
        "stops": "",
    }
    if row is not None:
        model |= await objects_of(context, request, place, row, here)
        model["figures"] = _figures(row)
        model["is_without_worker"] = await job_previews.is_without_worker(context, place.name, row.id)
    return View(
        "provisioning/switch_on.html",
        f"Switch on provisioning of {place.display_name}?",
        model,
        app=place,
        tab="Provisioning",
        subtab="Switch on",
        lead=_LEAD,
        copy_as=CopyAs(
            command=f"lockstep start {place.name} --preview", api=f"/api/v1/applications/{place.name}/previews"
        ),
        live="progress status change cycle",
        status=400 if refused else 200,
    )


def _figures(row: job_previews.PreviewRow) -> list[tuple[str, int]]:
    """Return a name and a number for each action of the preview that occurs. The usual actions are shown even if they do not."""
    usual = ("create", "update", "disable")
    return [
        (word, row.counts.get(action, 0))
        for action, (_, word, _) in ACTIONS.items()
        if action in usual or row.counts.get(action)
    ]
