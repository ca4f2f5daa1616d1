"""Configuration as YAML: view, edit with Plan and Apply, and restore an earlier version."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions import applications, configuration_edit
from lockstep.actions.configuration_edit import EditedText, TextPlan
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.change import Sign
from lockstep.errors import LockstepError
from lockstep.web.page import CopyAs, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.pages.app_overview import place_of

pages = Pages()
OF_APP = "/apps/{app}/provisioning/configuration"
OF_ALL = "/settings/configuration"
FORM_BYTES = 6 * 1024 * 1024  # bytes: the longest allowed file, URL-encoded


@pages.get(OF_ALL)
async def show_everything(context: Context, request: Request) -> View:
    return await _page(context, await configuration_edit.read_text(context))


@pages.post(OF_ALL, form_bytes=FORM_BYTES)
async def change_everything(context: Context, request: Request) -> PageAnswer:
    return await _change(context, request, "")


@pages.get(OF_APP)
async def show(context: Context, request: Request) -> View:
    """Show the present configuration or, with `?version=`, an earlier version and the changes that restoring it would make."""
    app = (await applications.show_application(context, request.path_params["app"])).application.name
    version = request.query_params.get("version", "")
    if not version:
        return await _page(context, await configuration_edit.read_text(context, app))
    edited = await configuration_edit.text_of_version(
        context, app, int(version) if version.isdecimal() and len(version) < 9 else 0
    )
    if not _may_write(context):
        return await _page(context, edited, version=version)
    try:
        return await _page(context, edited, plan=await configuration_edit.plan_text(context, edited), version=version)
    except LockstepError as refused:
        return await _page(context, edited, refused=on_the_form(refused), version=version)


@pages.get(OF_APP + ".yaml")
async def download(context: Context, request: Request) -> Response:
    app = (await applications.show_application(context, request.path_params["app"])).application.name
    edited = await configuration_edit.read_text(context, app)
    headers = {"Content-Disposition": f'attachment; filename="{app}.yaml"'}
    return Response(edited.text, media_type="application/yaml", headers=headers)


@pages.post(OF_APP, form_bytes=FORM_BYTES)
async def change(context: Context, request: Request) -> PageAnswer:
    app = (await applications.show_application(context, request.path_params["app"])).application.name
    return await _change(context, request, app)


async def _change(context: Context, request: Request, app: str) -> PageAnswer:
    form = await request.form(max_part_size=FORM_BYTES)
    edited = EditedText(
        str(form.get("yaml", "")).replace("\r\n", "\n"), str(form.get("base", "")), app, form.get("prune") == "on"
    )
    plan, comment = None, str(form.get("comment", ""))
    try:
        plan = await configuration_edit.plan_text(context, edited)
        if form.get("step") != "apply":
            return await _page(context, edited, plan=plan)
        typed = str(form.get("confirmation", "")).replace(",", "").strip()
        if plan.confirm and typed != str(plan.confirm):
            return await _page(
                context,
                edited,
                plan=plan,
                wrong=f"Type {plan.confirm} to confirm. Nothing was changed.",
                comment=comment,
            )
        mark, version = str(form.get("mark") or "none"), str(form.get("version", ""))
        restores = int(version) if version.isdecimal() and len(version) < 9 else None
        done = await configuration_edit.apply_text(context, edited, mark=mark, restores=restores, comment=comment)
    except LockstepError as refused:
        return await _page(context, edited, plan=plan, refused=on_the_form(refused), comment=comment)
    number = len(done.effective)
    return Redirect(_here(app), notice=f"Applied: {number:,} {'change' if number == 1 else 'changes'}")


async def _page(
    context: Context, edited: EditedText, *, plan: TextPlan | None = None, refused: LockstepError | None = None,
    wrong: str = "", version: str = "", comment: str = "",
) -> View:  # fmt: skip
    changes = plan.plan.changes if plan else ()
    model: dict[str, Any] = {
        "edited": edited,
        "plan": plan,
        "error": configuration_edit.error_in(refused, edited.text) if refused else None,
        "is_stale": refused is not None and refused.code == "StaleText",
        "wrong": wrong,
        "version": version,
        "comment": comment,
        "may_write": _may_write(context),
        "here": _here(edited.app),
        "download": f"{_here(edited.app)}.yaml",
        "totals": [
            (word, sum(one.sign is sign for one in plan.plan.effective))
            for sign, word in ((Sign.ADD, "to add"), (Sign.CHANGE, "to change"), (Sign.REMOVE, "to remove"))
        ] if plan else [],
        "kept": sum(one.is_kept for one in changes),
        "again": sum(one.looked_at_again for one in plan.plan.documents) if plan else 0,
        "notes": [note for one in plan.plan.documents for note in one.notes] if plan else [],
        "rows": edited.text.count("\n") + 2,
    }  # fmt: skip
    status = 400 if refused or wrong else 200
    if not edited.app:
        return View(
            "configuration/edit.html", "Configuration", model, section="Settings", subtab="Configuration",
            lead="Settings, sources, groups with rules and applications as YAML, without people and without secrets.",
            copy_as=CopyAs(command="lockstep export --all", api="/api/v1/configuration"), status=status,
        )  # fmt: skip
    place = place_of(await applications.show_application(context, edited.app))
    return View(
        "configuration/edit.html", "Configuration", model, app=place, tab="Provisioning", subtab="YAML",
        lead=f"Version {version}, and what restoring it would change." if version else "The application as YAML, without secrets.",
        copy_as=CopyAs(command=f"lockstep export {edited.app}", api="/api/v1/configuration"), status=status,
    )  # fmt: skip


def _here(app: str) -> str:
    return f"/apps/{app}/provisioning/configuration" if app else OF_ALL


def _may_write(context: Context) -> bool:
    return Permission.CONFIGURATION_WRITE in {*context.actor.permissions, *context.actor.own_permissions}
