"""The timelines of people and groups, and the figures of the charts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from typing_extensions import TypedDict

from lockstep.actions import activity, logs, throughput, timeline
from lockstep.actions.context import Context
from lockstep.actions.rows.activity import ActivityJson, AppActivityJson, activity_json, app_activity_json
from lockstep.actions.rows.timeline import TimelineEventJson, event_json
from lockstep.actions.throughput import ChartSpan
from lockstep.actions.timeline import TimelineSubject
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import Selects, selected, time
from lockstep.api.paging import Asking, ListQuery, Page, foreign_cursor, page_until
from lockstep.api.shapes import AppName

router = router_of()
_TIMES = (Selects("time", "ge", "after", time), Selects("time", "lt", "before", time))
Only = Annotated[
    str,
    Query(
        description="Show only events of one kind: `directory`, `sign-ins`, or the name of an application (its provisioning)",
        max_length=400,
    ),
]
SpanQuery = Annotated[
    ChartSpan, Query(description="The last hour in steps of a minute, or the last 24 hours in steps of 30 minutes")
]


class NeighboursJson(TypedDict):
    """The ids of the previous and the next change. Each is "" if there is no such change."""

    previous: str
    next: str


@router.get("/people/{person}/timeline", tags=["Directory"])
async def show_timeline_of_person(
    context: Asked, query: Asking, person: str, only: Only = ""
) -> Page[TimelineEventJson]:
    """List what happened to a person, newest first: changes in the directory, provisioning in the applications, sign-ins. Records of
    applications whose log you may not read are left out. The filter supports `time ge` and `time lt`.
    """
    return await _timeline(context, query, await timeline.find_subject(context, person, kind="person"), only)


@router.get("/groups/{group}/timeline", tags=["Directory"])
async def show_timeline_of_group(context: Asked, query: Asking, group: str, only: Only = "") -> Page[TimelineEventJson]:
    """List what happened to a group, newest first. The filter supports `time ge` and `time lt`."""
    return await _timeline(context, query, await timeline.find_subject(context, group, kind="group"), only)


@router.get("/activity", tags=["Provisioning"])
async def show_activity(context: Asked) -> ActivityJson:
    """Show the changes of the last 14 days in all applications that you may read, and how long people kept access that should
    have ended.
    """
    days = await activity.daily_activity(context)
    written = await activity.activity_of_each(context)
    return activity_json(days, written, await throughput.show_leaving(context))


@router.get("/applications/{app}/activity", tags=["Provisioning"])
async def show_activity_of_application(
    context: Asked, app: AppName, span: SpanQuery = ChartSpan.HOUR
) -> AppActivityJson:
    """Show the figures of the charts. For each time step: operations, failures, the queue and response times. For the last 7 days: how long
    people waited for access, or kept it for too long. Also the durations of cycles, and the changes of the last 14 days.
    """
    found = await throughput.show_throughput(context, app, span=span)
    return app_activity_json(found, await activity.daily_activity(context, app=found.app))


@router.get("/logs/{change}/neighbours", tags=["Logs"])
async def show_neighbours(context: Asked, change: str) -> NeighboursJson:
    """Show the previous and the next change of the same person or group in the same application."""
    *_, last = await logs.show_log(context, change)
    before, after = await logs.attempts_beside(context, last)
    return {"previous": before, "next": after}


async def _timeline(context: Context, query: ListQuery, subject: TimelineSubject, only: str) -> Page[TimelineEventJson]:
    query.refuse_sort("-time")
    given = selected(query.filter, _TIMES)
    before, skip = _position(query)
    given = given if before is None else given | {"before": before}
    found = await timeline.show_timeline(context, subject.id, only=only, skip=skip, limit=query.limit, **given)
    rows = [event_json(one, found.names, found.apps) for one in found.events]
    return page_until(query, rows, [found.next.before.isoformat(), found.next.skip] if found.next else None)


def _position(query: ListQuery) -> tuple[datetime | None, int]:
    """Return the position in the cursor: the time at which the page begins, and the number of events with exactly this time to skip. On the
    first page, there is no time.
    """
    match query.after(list):
        case None:
            return None, 0
        case [str(before), int(skip)] if 0 <= skip <= timeline.MOST_SKIPPED:
            try:
                at = datetime.fromisoformat(before)
            except ValueError:
                raise foreign_cursor() from None
            if at.tzinfo is not None:
                return at, skip
    raise foreign_cursor()
