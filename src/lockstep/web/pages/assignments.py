"""Users and groups of an application: list, add, change and remove assignments and their roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import applications, assignment_forecast, assignment_pages, assignments
from lockstep.actions.applications import ApplicationView
from lockstep.actions.assignment_forecast import AssignmentForecast
from lockstep.actions.assignment_pages import AssignableObject
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.errors import Kind, LockstepError
from lockstep.web.copied import api_list
from lockstep.web.page import AppPlace, CopyAs, Crumb, Fragment, PageAnswer, Pages, Redirect, View, address, on_the_form

pages = Pages()
TAB = "Users and groups"
DEFAULT_ACCESS = "Default Access"


@dataclass(frozen=True, slots=True)
class AssignmentInput:
    """The input of the form that adds assignments. *picked* are ids, each with its kind: `User:0190...`."""

    picked: Sequence[str]
    role: str

    @classmethod
    def of(cls, form: FormData) -> AssignmentInput:
        picked = [str(one) for one in form.getlist("principal")]
        return cls(list(dict.fromkeys(picked)), str(form.get("role", "")))

    def ids(self, kind: str) -> list[str]:
        return [one.partition(":")[2] for one in self.picked if one.partition(":")[0] == kind]


@pages.get("/apps/{app}/users-groups")
async def list_assigned(context: Context, request: Request) -> View:
    app = await applications.show_application(context, request.path_params["app"])
    query = request.query_params
    search, after = query.get("search", "").strip(), query.get("after", "")
    page = await assignment_pages.page_of_assignments(context, app.application.name, search=search, after=after)
    here = _href(app)
    model = {
        "app": app,
        "page": page,
        "search": search,
        "next": address(here, search=search, after=page.next) if page.next else None,
        "first": address(here, search=search) if after else None,
        "add_href": f"{here}/add",
        "remove_href": f"{here}/remove",
    }
    return View(
        "assignments/list.html",
        TAB,
        model,
        app=_place(app),
        tab=TAB,
        lead='Who may use the application. If the scope is "Sync only assigned users and groups", provisioning creates '
        "accounts only for these people.",
        copy_as=CopyAs(
            command="" if search else f"lockstep assign list {app.application.name}",
            api=api_list(f"/api/v1/applications/{app.application.name}/assignments", ("principal", "co", search)),
        ),
        live="directory",
    )


@pages.get("/apps/{app}/users-groups/add")
async def choose(context: Context, request: Request) -> View:
    app = await applications.show_application(context, request.path_params["app"])
    wanted = AssignmentInput(
        [str(one) for one in request.query_params.getlist("principal")], request.query_params.get("role", "")
    )
    return await _chooser(context, request, app, wanted)


@pages.post("/apps/{app}/users-groups/add")
async def add(context: Context, request: Request) -> PageAnswer:
    """Assign people and groups. The first click shows the effects, and the second one assigns. Between the two, the page looks up which
    people already have an account in the application. It does this automatically with script, and otherwise after another click.
    """
    app = await applications.show_application(context, request.path_params["app"])
    form = await request.form()
    wanted = AssignmentInput.of(form)
    name = app.application.name

    async def work(inner: Context) -> Sequence[assignments.AssignmentRow]:
        return await assignments.assign(
            inner, name, users=wanted.ids("User"), groups=wanted.ids("Group"), role=wanted.role or None
        )

    try:
        if not wanted.picked:
            raise LockstepError(
                Kind.INVALID, "No user or group was selected", next_step="Select at least one in the list"
            )
        if form.get("step") != "assign":
            found = await foresee(context, work)
            forecast = await _forecast(context, name, wanted, looks_up=form.get("step") == "look")
            return await _chooser(context, request, app, wanted, lines=consequence_lines(found), forecast=forecast)
        new = await work(context)
    except LockstepError as refused:
        return await _chooser(context, request, app, wanted, refused=on_the_form(refused))
    notice = f"{len(new):,} assigned to {app.application.display_name}" if new else "They are already assigned"
    return Redirect(_href(app), notice=notice)


@pages.post("/apps/{app}/users-groups/add/look-up")
async def look_up(context: Context, request: Request) -> Fragment:
    """Look up which of the selected people already have an account in the application. Nothing is written."""
    wanted = AssignmentInput.of(await request.form())
    forecast = await _forecast(context, request.path_params["app"], wanted, looks_up=True)
    return Fragment("assignments/forecast.html", {"forecast": forecast})


async def _forecast(context: Context, app: str, wanted: AssignmentInput, *, looks_up: bool) -> AssignmentForecast:
    return await assignment_forecast.forecast_assignment(
        context, app, users=wanted.ids("User"), groups=wanted.ids("Group"), role=wanted.role or None, looks_up=looks_up
    )


@pages.post("/apps/{app}/users-groups/remove")
async def remove(context: Context, request: Request) -> PageAnswer:
    """Remove assignments. The first click shows who would lose an account, the second removes the assignments."""
    app = await applications.show_application(context, request.path_params["app"])
    form = await request.form()
    chosen = [str(one) for one in form.getlist("assignment")]
    name = app.application.name

    async def work(inner: Context) -> int:
        return await assignment_pages.remove_assignments(inner, name, chosen)

    if not chosen:
        return Redirect(_href(app), notice="Nothing was selected")
    if form.get("step") != "remove":
        found = await foresee(context, work)
        model = {
            "app": app,
            "rows": await assignment_pages.some_assignments(context, name, chosen),
            "lines": consequence_lines(found),
            "remove_href": f"{_href(app)}/remove",
            "back": _href(app),
        }
        parents = [Crumb(TAB, _href(app))]
        return View("assignments/remove.html", "Remove assignments", model, app=_place(app), tab=TAB, parents=parents)
    gone = await work(context)
    return Redirect(_href(app), notice=f"{gone:,} removed" if gone else "They were already removed")


async def _chooser(
    context: Context,
    request: Request,
    app: ApplicationView,
    wanted: AssignmentInput,
    *,
    lines: Sequence[str] = (),
    forecast: AssignmentForecast | None = None,
    refused: LockstepError | None = None,
) -> View:
    search = request.query_params.get("search", "").strip()
    picked: list[AssignableObject] = await assignment_pages.candidates_of(
        context, wanted.ids("User"), wanted.ids("Group")
    )
    found = [] if forecast else await assignment_pages.find_candidates(context, app.application.name, search)
    ids = {one.key for one in picked}
    model = {
        "app": app,
        "search": search,
        "picked": picked,
        "found": [one for one in found if one.key not in ids],
        "roles": [
            ("", _default_label(app)),
            *((role.value, role.display_name) for role in app.roles if role.is_enabled),
        ],
        "role": wanted.role,
        "role_name": next((one.display_name for one in app.roles if one.value == wanted.role), wanted.role),
        "lines": lines,
        "forecast": forecast,
        "refused": refused,
        "action": f"{_href(app)}/add",
        "back": _href(app),
    }
    return View(
        "assignments/add.html",
        "Add user/group",
        model,
        app=_place(app),
        tab=TAB,
        parents=[Crumb(TAB, _href(app))],
        status=400 if refused else 200,
    )


def _default_label(app: ApplicationView) -> str:
    return "The only role" if len(app.roles) == 1 else DEFAULT_ACCESS


def _place(app: ApplicationView) -> AppPlace:
    return AppPlace(app.application.name, app.application.display_name)


def _href(app: ApplicationView) -> str:
    return f"{_place(app).href}/users-groups"
