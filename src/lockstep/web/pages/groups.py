"""Groups: the list, and one group with its members and assignments."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions import groups
from lockstep.actions.context import Context
from lockstep.web.page import CopyAs, Crumb, Pages, View

pages = Pages()
HERE = "/groups"
MOST_GROUPS = 500
MOST_MEMBERS = 200


@pages.get(HERE)
async def list_groups(context: Context, request: Request) -> View:
    search = request.query_params.get("search", "").strip()
    rows = await groups.list_groups(context, search=search, limit=MOST_GROUPS + 1)
    model = {"rows": rows[:MOST_GROUPS], "is_cut": len(rows) > MOST_GROUPS, "search": search, "here": HERE}
    return View(
        "groups/list.html",
        "Groups",
        model,
        section="Groups",
        copy_as=CopyAs(command="lockstep groups list", api="/api/v1/groups"),
        live="change",
    )


@pages.get(f"{HERE}/{{group}}")
async def show_group(context: Context, request: Request) -> View:
    view = await groups.show_group(context, request.path_params["group"], most_members=MOST_MEMBERS + 1)
    model = {
        "group": view.group,
        "members": view.members[:MOST_MEMBERS],
        "is_cut": len(view.members) > MOST_MEMBERS,
        "assignments": view.assignments,
    }
    return View(
        "groups/group.html",
        view.group.display_name,
        model,
        section="Groups",
        parents=[Crumb("Groups", HERE)],
        copy_as=CopyAs(command=f"lockstep groups show {view.group.id}", api=f"/api/v1/groups/{view.group.id}"),
        live="change",
    )
