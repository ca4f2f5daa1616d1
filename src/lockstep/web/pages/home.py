"""Home: items that need attention, key figures, the applications, and recent activity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from lockstep.actions import activity, throughput
from lockstep.actions import overview as actions
from lockstep.actions.context import Context
from lockstep.actions.logs import LogRow
from lockstep.actions.overview import AppOverview, Overview
from lockstep.actions.permissions import Permission
from lockstep.actions.record_sentence import sentence_of
from lockstep.actions.status_labels import StatusLabel
from lockstep.web.activity_chart import activity_chart
from lockstep.web.page import CopyAs, Pages, View
from lockstep.web.pages.apps import row_of
from lockstep.web.status_look import StatusLook, result_look
from lockstep.wording import counted

pages = Pages()


@dataclass(frozen=True, slots=True)
class Activity:
    """One row of recent activity. *text* is shown after the name and says what was done and in which application."""

    at: datetime
    name: str
    text: str
    look: StatusLook
    href: str
    duration_ms: int


_SEND_NOTHING = (StatusLabel.QUARANTINE, StatusLabel.PAUSED, StatusLabel.NO_WORKER)


@pages.get("/")
async def show_home(context: Context, request: Request) -> View:
    found = await actions.overview(context)
    days = await activity.daily_activity(context)
    apps = found.apps
    holding = [app for app in apps if app.status.held]
    model = {
        "overview": found,
        "urgent": [(row_of(app), _room_of(app)) for app in found.urgent],
        "held_href": _room(holding[0], "held") if len(holding) == 1 else "/apps?show=attention",
        "may_create": context.actor.may(Permission.APPLICATIONS_CREATE),
        "rows": [row_of(app) for app in apps],
        "in_step": sum(sum(app.status.links.values()) for app in apps),
        "waiting": sum(app.status.waiting for app in apps),
        "is_sending": any(app.status.waiting and app.label not in _SEND_NOTHING for app in apps),
        "failing": sum(app.status.escrowed for app in apps),
        "held": sum(app.status.held for app in apps),
        "activity": _activity(found),
        "chart": activity_chart(days),
        "leaving": await throughput.show_leaving(context),
        "target": throughput.TARGET,
    }
    return View(
        "home/home.html",
        _heading(found),
        model,
        section="Home",
        copy_as=CopyAs(
            command="lockstep status",
            api="/api/v1/status",
            more=[CopyAs(title="Figures", command="lockstep activity", api="/api/v1/activity")],
        ),
        live="status cycle progress source change",
    )


def _heading(found: Overview) -> str:
    """Return the heading, such as "2 things need you". It is "Everything is in step" only if nothing needs attention, provisioning has
    begun and no application is paused.
    """
    number = len(found.urgent) + len(found.sources) + len(found.certificates) + len(found.mail)
    if not found.apps:
        return "Welcome to Lockstep"
    if number:
        return f"{counted(number, 'thing')} {'needs' if number == 1 else 'need'} you"
    waits = (StatusLabel.NOT_CONFIGURED, StatusLabel.READY)
    if all(app.label in waits for app in found.apps):
        return "Nothing is provisioned yet"
    is_paused = any(app.label is StatusLabel.PAUSED for app in found.apps)
    return "Nothing needs you" if is_paused else "Everything is in step"


def _room_of(app: AppOverview) -> str:
    """Return the address of the page that deals with the application's present state."""
    rooms = {
        StatusLabel.HELD: _room(app, "held"),
        StatusLabel.QUARANTINE: _room(app, "quarantine"),
        StatusLabel.HEALTHY_WITH_FAILURES: "/logs/provisioning/failures",
    }
    return rooms.get(app.label, f"/apps/{app.status.app}/provisioning")


def _room(app: AppOverview, room: str) -> str:
    return f"/apps/{app.status.app}/provisioning/{room}"


def _activity(found: Overview) -> list[Activity]:
    names = {app.id: app.status.display_name for app in found.apps}
    return [_line(row, names.get(row.app, "")) for row in found.recent]


def _line(row: LogRow, app: str) -> Activity:
    look = result_look(row.status)
    return Activity(
        row.at,
        row.source_display or row.target_display,
        sentence_of(row, app),
        look,
        f"/logs/provisioning/{row.change_id}",
        row.duration_ms,
    )
