"""Enterprise applications: the list, with its filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request

from lockstep.actions import activity, provisioning
from lockstep.actions import overview as actions
from lockstep.actions.context import Context
from lockstep.actions.overview import AppOverview
from lockstep.actions.permissions import Permission
from lockstep.errors import LockstepError
from lockstep.kit.charts import Bar, sparkline
from lockstep.web.page import Chip, CopyAs, PageAnswer, Pages, Redirect, View, address
from lockstep.web.status_look import StatusLook, look_of
from lockstep.wording import counted

pages = Pages()


@dataclass(frozen=True, slots=True)
class AppRow:
    """A row of the list."""

    app: AppOverview
    look: StatusLook
    href: str
    days: Sequence[int] = ()  # accounts written on each of the last days
    may_pause: bool = False

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
    rows = [
        replace(
            row_of(app),
            days=days.get(app.status.app, ()),
            may_pause=app.is_on and context.actor.may(Permission.PROVISIONING_CONTROL, app.id),
        )
        for app in named
        if FILTERS[wanted][1](app)
    ]
    model = {
        "rows": rows,
        "may_pause": any(row.may_pause for row in rows),
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
        copy_as=CopyAs(command="lockstep status", api="/api/v1/overview"),
        live="status cycle progress change",
    )


@pages.post("/apps/pause")
async def pause(context: Context, request: Request) -> PageAnswer:
    """Pause the selected applications, one by one. If one cannot be paused, the others are paused all the same, and the notice says which
    one was refused.
    """
    paused: list[str] = []
    refusals: list[str] = []
    for name in dict.fromkeys(str(one) for one in (await request.form()).getlist("app")):
        try:
            paused.append((await provisioning.pause(context, name)).app_display_name)
        except LockstepError as refused:
            refusals.append(f"{name} ({refused.detail})")
    return Redirect("/apps", notice=_outcome(paused, refusals))


def row_of(app: AppOverview) -> AppRow:
    return AppRow(app, look_of(app.status), f"/apps/{app.status.app}")


def _outcome(paused: Sequence[str], refusals: Sequence[str]) -> str:
    """Return the notice: the numbers, then the refusals, then the names of the paused applications. These names come last because a long
    notice is cut off, and the list of applications shows them as well.
    """
    if not refusals:
        return f"{counted(len(paused), 'application')} paused" if paused else "Nothing was selected"
    done = f". Paused: {', '.join(paused)}" if paused else ""
    return f"{counted(len(paused), 'application')} paused, {len(refusals):,} not: {', '.join(refusals)}{done}"


def _chips(found: Sequence[AppOverview], wanted: str, search: str) -> list[Chip]:
    return [
        Chip(label, address("/apps", show=key, name=search), key == wanted, sum(test(app) for app in found))
        for key, (label, test) in FILTERS.items()
    ]
