"""Provision on demand: choose people or groups, see the planned changes, and then send them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from lockstep.actions import applications, assignment_pages, previews, provisioning
from lockstep.actions.applications import ApplicationView
from lockstep.actions.assignment_pages import AssignableObject
from lockstep.actions.context import Context
from lockstep.actions.rows.plans import PlanJson, plan_json
from lockstep.actions.rows.provisioning import PushJson, push_json
from lockstep.errors import Kind, LockstepError
from lockstep.web.page import AppPlace, CopyAs, PageAnswer, Pages, View, on_the_form
from lockstep.web.status_look import StatusLook, result_look

pages = Pages()
MOST = 20  # the most objects at once; for more, a cycle is the right tool
_WOULD = {
    "create": "Would be created",
    "update": "Would be updated",
    "enable": "Would be enabled",
    "disable": "Would be disabled",
    "delete": "Would be deleted",
    "link": "Would be linked",
    "release": "Would be unlinked",
    "held": "Would be held for approval",
    "refuse": "Would be refused",
    "skip": "Would be skipped",
}
_SIGNS = {"create": "+", "update": "~", "disable": "o", "delete": "-", "link": "=", "refuse": "!"}


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """The planned change of one object."""

    plan: PlanJson

    @property
    def sign(self) -> str:
        return _SIGNS.get(self.plan["action"], ".")

    @property
    def words(self) -> str:
        return _WOULD.get(self.plan["action"], "Nothing to do")


@dataclass(frozen=True, slots=True)
class DoneRow:
    """The result for one object."""

    result: PushJson

    @property
    def look(self) -> StatusLook:
        return result_look(self.result["status"])


@pages.get("/apps/{app}/provisioning/on-demand")
async def choose(context: Context, request: Request) -> View:
    app = await applications.show_application(context, request.path_params["app"])
    picked = [str(one) for one in request.query_params.getlist("principal")]
    if request.query_params.get("step") == "preview" and 0 < len(picked) <= MOST:
        return await _planned(context, app, picked, is_ready=True)
    return await _page(context, app, picked, search=request.query_params.get("search", "").strip())


@pages.post("/apps/{app}/provisioning/on-demand")
async def provision(context: Context, request: Request) -> PageAnswer:
    """Provision the chosen objects. The first click is a dry run, the second one sends."""
    app = await applications.show_application(context, request.path_params["app"])
    form = await request.form()
    picked = list(dict.fromkeys(str(one) for one in form.getlist("principal")))
    users, groups = _ids(picked, "User"), _ids(picked, "Group")
    name = app.application.name
    try:
        if not picked or len(picked) > MOST:
            detail = (
                f"{len(picked)} are selected; at most {MOST} are possible"
                if picked
                else "No user or group was selected"
            )
            raise LockstepError(Kind.INVALID, detail, next_step="Select some in the list")
        if form.get("step") == "provision":
            done = await provisioning.push(context, name, users=users, groups=groups)
            names = {one.id: one.name for one in await assignment_pages.candidates_of(context, users, groups)}
            rows = [DoneRow(push_json(name, names.get(one.source_id, one.source_id), one)) for one in done]
            return await _page(context, app, picked, done=rows)
    except LockstepError as refused:
        return await _page(context, app, picked, refused=on_the_form(refused))
    return await _planned(context, app, picked)


async def _planned(context: Context, app: ApplicationView, picked: Sequence[str], *, is_ready: bool = False) -> View:
    """Show what would be done. Nothing is written. If *is_ready* is true, pressing Enter on the page carries out the plan."""
    users, groups = _ids(picked, "User"), _ids(picked, "Group")
    try:
        plans = await previews.preview(context, app.application.name, users=users, groups=groups)
    except LockstepError as refused:
        return await _page(context, app, picked, refused=on_the_form(refused))
    rows = [PlannedRow(plan_json(plan)) for plan in plans]
    return await _page(context, app, picked, planned=rows, is_ready=is_ready)


async def _page(
    context: Context,
    app: ApplicationView,
    picked: Sequence[str],
    *,
    search: str = "",
    planned: Sequence[PlannedRow] = (),
    done: Sequence[DoneRow] = (),
    refused: LockstepError | None = None,
    is_ready: bool = False,
) -> View:
    name = app.application.name
    place = AppPlace(name, app.application.display_name)
    chosen = await assignment_pages.candidates_of(context, _ids(picked, "User"), _ids(picked, "Group"))
    found: list[AssignableObject] = []
    if not planned and not done:
        keys = {one.key for one in chosen}
        found = [one for one in await assignment_pages.find_candidates(context, name, search) if one.key not in keys]
    action = f"{place.href}/provisioning/on-demand"
    model = {
        "app": app,
        "search": search,
        "picked": chosen,
        "found": found,
        "planned": planned,
        "is_ready": is_ready,
        "writes": sum(row.sign != "." and row.sign != "!" for row in planned),
        "done": done,
        "refused": refused,
        "action": action,
    }
    named = chosen[0].detail if chosen and chosen[0].kind == "User" else "USER"
    return View(
        "on_demand/page.html",
        "Provision on demand",
        model,
        app=place,
        tab="Provisioning",
        subtab="On demand",
        lead="Provision people or groups now, ahead of all others. You first see what would be done.",
        copy_as=CopyAs(command=f"lockstep push {name} {named}"),
        status=400 if refused else 200,
    )


def _ids(picked: Sequence[str], kind: str) -> list[str]:
    return [one.partition(":")[2] for one in picked if one.partition(":")[0] == kind]
