"""Enterprise applications: the list, with its filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from lockstep.actions import activity
from lockstep.actions import overview as actions
from lockstep.actions.context import Context
from lockstep.actions.overview import AppOverview
from lockstep.kit.charts import Bar, sparkline
from lockstep.web.page import Chip, CopyAs, Pages, View, address
from lockstep.web.status_look import StatusLook, look_of

pages = Pages()


@dataclass(frozen=True, slots=True)
class AppRow:
    """A row of the list."""

    app: AppOverview
    look: StatusLook
    href: str
    days: Sequence[int] = ()  # accounts written on each of the last days

    @property
    def drawn(self) -> Sequence[Bar]:
        return sparkline(self.days)

    @property
    def name(self) -> str:
        return self.app.status.display_name


FILTERS: Mapping[str, tuple[str, Callable[[AppOverview], bool]]] = {
    "": ("All", lambda app: True),
    "on": ("Provisioning on", lambda app: app.is_on),
    "attention": ("Needs attention", lambda app: app.needs_attention),
    "off": ("Provisioning off", lambda app: not app.is_on),
}


@pages.get("/apps")
async def list_applications(context: Context, request: Request) -> View:
    wanted = request.query_params.get("show", "")
    wanted = wanted if wanted in FILTERS else ""
    search = request.query_params.get("name", "").strip()
    found = await actions.list_overview(context)
    named = [app for app in found if search.casefold() in app.status.display_name.casefold()]
    days = await activity.activity_of_each(context)
    model = {
        "rows": [row_of(app, days.get(app.status.app, ())) for app in named if FILTERS[wanted][1](app)],
        "chips": _chips(named, wanted, search),
        "search": search,
        "show": wanted,
        "total": len(found),
    }
    return View(
        "apps/list.html",
        "Enterprise applications",
        model,
        section="Applications",
        copy_as=CopyAs(command="lockstep status", api="/api/v1/applications"),
        live="status cycle progress change",
    )


def row_of(app: AppOverview, days: Sequence[int] = ()) -> AppRow:
    return AppRow(app, look_of(app.status), f"/apps/{app.status.app}", days)


def _chips(found: Sequence[AppOverview], wanted: str, search: str) -> list[Chip]:
    return [
        Chip(label, address("/apps", show=key, name=search), key == wanted, sum(test(app) for app in found))
        for key, (label, test) in FILTERS.items()
    ]
