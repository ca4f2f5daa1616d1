"""The history of one person or group, in the directory and in all applications, newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.directory.people import MANAGER
from lockstep.storage import applications, changes, provisioning_log, sign_in_log
from lockstep.storage.changes import ChangeRow
from lockstep.storage.provisioning_log import LogFilter, LogRow
from lockstep.storage.sign_in_log import SignInFilter, SignInRow

PAGE = 30
EXPORTED = 500  # events of one page of an export
MOST_NAMED = 10  # the most members that are listed for a change
DIRECTORY, SIGN_INS = "directory", "sign-ins"  # shown in place of an application


@dataclass(frozen=True, slots=True)
class Event:
    """One event in a timeline: a change in the directory, a record of the provisioning log, or a sign-in. *app* is the display name of the
    application.
    """

    at: datetime
    change: ChangeRow | None = None
    record: LogRow | None = None
    app: str = ""
    sign_in: SignInRow | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page of a timeline. *names* contains the names of managers and members that the changes mention, by id. *next* is the value of
    *before* for the following page.
    """

    events: Sequence[Event]
    names: dict[str, str]
    next: datetime | None = None


@needs(Permission.DIRECTORY_READ)
async def show_timeline(
    context: Context,
    object_id: str,
    *,
    only: str = "",
    after: datetime | None = None,
    before: datetime | None = None,
    limit: int = PAGE,
) -> Timeline:
    """Return the newest events at *after* or later and before the position *before*. *only* is `directory`, `sign-ins`, or the name of one
    application.

    Records of applications whose log the caller may not read are left out.
    """
    async with context.reading() as connection:
        apps = {
            one.id: one
            for one in await applications.list_applications(connection)
            if context.actor.may(Permission.LOGS_READ, one.id)
        }
        events: list[Event] = []
        if only in ("", DIRECTORY):
            rows = await changes.history_of(connection, object_id, limit=limit + 1, after=after, before=before)
            events += [Event(row.at, change=row) for row in rows]
        if only in ("", SIGN_INS):
            signed_in = SignInFilter(person=object_id, after=after, before=before)
            if not context.actor.everywhere(Permission.LOGS_READ):
                signed_in = replace(signed_in, apps=sorted(apps))
            rows_of_log = await sign_in_log.read_log(connection, signed_in, limit=limit + 1)
            events += [Event(row.at, app=row.app_display or "My Apps", sign_in=row) for row in rows_of_log]
        if only not in (DIRECTORY, SIGN_INS):
            wanted = LogFilter(source_id=object_id, after=after, before=before)
            if only or not context.actor.everywhere(Permission.LOGS_READ):
                wanted = replace(wanted, apps=[one.id for one in apps.values() if only in ("", one.name)])
            records = await provisioning_log.read_log(connection, wanted, limit=limit + 1)
            events += [
                Event(
                    row.at, record=row, app=apps[row.app].display_name if row.app in apps else "a deleted application"
                )
                for row in records
            ]
        events.sort(key=lambda one: one.at, reverse=True)
        shown = _whole_moments(events, limit)
        names: dict[str, str] = {}
        if mentioned := sorted(
            {one for event in shown if event.change is not None for one in _mentioned(event.change)}
        ):
            for kind in ("User", "Group"):
                names |= await provisioning_log.source_names(connection, kind, mentioned)
    return Timeline(shown, names, shown[-1].at if len(events) > limit else None)


@needs(Permission.DIRECTORY_READ)
async def pages_of_timeline(
    context: Context,
    object_id: str,
    *,
    only: str = "",
    after: datetime | None = None,
    before: datetime | None = None,
    size: int = EXPORTED,
) -> AsyncIterator[Timeline]:
    """Yield all events of the period, newest first, in pages of at most *size* events."""
    position = before
    while True:
        page = await show_timeline(context, object_id, only=only, after=after, before=position, limit=size)
        yield page
        if page.next is None:
            return
        position = page.next


def _whole_moments(events: Sequence[Event], limit: int) -> Sequence[Event]:
    """Return up to *limit* of the sorted *events*, without the last moment if some of its events would be left out: the next page begins
    with it.
    """
    if len(events) <= limit:
        return events
    return [one for one in events[:limit] if one.at != events[limit].at] or events[:limit]


def _mentioned(change: ChangeRow) -> Iterator[str]:
    """Yield the ids of a changed manager and of the first changed members, whose names the page shows."""
    for values in (change.before or {}, change.after or {}):
        if values.get(MANAGER):
            yield str(values[MANAGER])
        yield from (str(one) for one in values.get("members", [])[:MOST_NAMED])
