"""One application: its state and the next step, its properties, and its removal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from lockstep.actions import activity, applications, overview
from lockstep.actions.applications import ApplicationView
from lockstep.actions.context import Context
from lockstep.actions.overview import AppOverview
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on import settings
from lockstep.errors import Kind, LockstepError
from lockstep.web.activity_chart import activity_chart
from lockstep.web.page import AppPlace, CopyAs, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.status_look import look_of_label

pages = Pages()


@dataclass(frozen=True, slots=True)
class NextStep:
    """One step of setting up an application. *href* is the page where it is done."""

    label: str
    text: str
    href: str
    is_done: bool


@pages.get("/apps/{app}")
async def show_overview(context: Context, request: Request) -> View:
    app = await applications.show_application(context, request.path_params["app"])
    found = await overview.show_overview(context, app.application.name)
    place = place_of(app)
    days = await activity.daily_activity(context, app=app.application.name)
    model = {
        "app": app,
        "status": found.status,
        "overview": found,
        "look": look_of_label(found.label),
        "steps": _steps(app, place, found),
        "is_set_up": _is_set_up(app, found),
        "is_on": found.is_on,
        "chart": activity_chart(days),
    }
    return View(
        "app/overview.html",
        app.application.display_name,
        model,
        app=place,
        tab="Overview",
        copy_as=CopyAs(command=f"lockstep apps show {place.name}", api=f"/api/v1/applications/{place.name}"),
        live="status cycle progress change",
    )


@pages.get("/apps/{app}/properties")
async def show_properties(context: Context, request: Request) -> View:
    return await _properties(context, request.path_params["app"])


@pages.post("/apps/{app}/properties")
async def save_properties(context: Context, request: Request) -> PageAnswer:
    """Save whether sign-in is enabled and whether it requires an assignment."""
    name, form = request.path_params["app"], await request.form()
    wanted = {key: form.get(key) == "yes" for key in ("enabledForSignIn", "assignmentRequired")}
    try:
        await settings.change_sign_on(context, name, wanted, seen=str(form.get("version", "")))
    except LockstepError as refused:
        return await _properties(context, name, wanted=wanted, not_saved=on_the_form(refused))
    return Redirect(f"/apps/{name}/properties", notice="Saved")


@pages.post("/apps/{app}/properties/delete")
async def delete(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    form = await request.form()
    if str(form.get("confirmation", "")).strip() != name:
        refused = LockstepError(
            Kind.INVALID,
            f"{name} was not typed. The application was not deleted",
            next_step="Type its short name to delete it",
        )
        return await _properties(context, name, refused=refused)
    gone = await applications.remove_application(context, name)
    return Redirect("/apps", notice=f"{gone.display_name} was deleted. Its accounts were not changed")


def place_of(app: ApplicationView) -> AppPlace:
    return AppPlace(app.application.name, app.application.display_name)


async def _properties(
    context: Context,
    name: str,
    *,
    refused: LockstepError | None = None,
    wanted: Mapping[str, bool] | None = None,
    not_saved: LockstepError | None = None,
) -> View:
    app = await applications.show_application(context, name)
    place = place_of(app)
    shown = await settings.show_sign_on(context, name)
    typed = wanted or {
        "enabledForSignIn": shown.settings.is_enabled,
        "assignmentRequired": shown.settings.assignment_required,
    }
    return View(
        "app/properties.html",
        "Properties",
        {
            "app": app,
            "refused": refused,
            "here": f"{place.href}/properties",
            "action": f"{place.href}/properties/delete",
            "mode": shown.settings.mode.value,
            "version": shown.version,
            "typed": typed,
            "not_saved": not_saved,
            "may_edit": context.actor.may(Permission.SIGN_ON_WRITE, app.application.id),
        },
        app=place,
        tab="Properties",
        copy_as=CopyAs(command=f"lockstep apps show {place.name}", api=f"/api/v1/applications/{place.name}"),
        status=400 if refused or not_saved else 200,
    )


def _is_set_up(app: ApplicationView, found: AppOverview) -> bool:
    """Whether the application is set up; if so, the list of steps is hidden. An application is set up if it has single sign-on or
    provisioning and, in addition, an assignment or a scope that contains everyone.
    """
    return (found.signs_on or found.is_on) and (app.assignment_count > 0 or app.application.syncs_all)


def _steps(app: ApplicationView, place: AppPlace, found: AppOverview) -> Sequence[NextStep]:
    """Return the steps of Entra's *Getting Started*, in the same order."""
    is_connected = app.credential is not None and app.credential.has_secret
    return (
        NextStep(
            "Assign users and groups",
            "Define who may sign in, and who will be in scope for provisioning.",
            f"{place.href}/users-groups",
            app.assignment_count > 0 or app.application.syncs_all,
        ),
        NextStep(
            "Set up single sign on",
            "Let people sign in to the application with their Lockstep account.",
            f"{place.href}/sso",
            found.signs_on,
        ),
        NextStep(
            "Provision user accounts",
            "Connect with Tenant URL and Secret Token, review the mappings, and switch provisioning on.",
            f"{place.href}/provisioning",
            is_connected and found.is_on,
        ),
    )
