"""The history of one person or group, in the directory and in all applications, newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_deleted_person, find_group, find_person
from lockstep.actions.permissions import Permission
from lockstep.directory.people import MANAGER
from lockstep.errors import Kind, LockstepError, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, changes, provisioning_log, sign_in_log
from lockstep.storage.applications import ApplicationRow
from lockstep.storage.changes import ChangeRow
from lockstep.storage.provisioning_log import LogFilter, LogRow
from lockstep.storage.sign_in_log import SignInFilter, SignInRow
from lockstep.wording import did_you_mean

PAGE = 30
EXPORTED = 500  # events of one page of an export
MOST_SKIPPED = 10_000  # events of the same moment that a page may skip
MOST_NAMED = 10  # the most members that are listed for a change
DIRECTORY, SIGN_INS = "directory", "sign-ins"  # shown in place of an application
SubjectKind = Literal["person", "group"]


@dataclass(frozen=True, slots=True)
class TimelineSubject:
    """The person or group whose timeline is shown."""

    id: str
    name: str


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
class TimelinePosition:
    """The position at which a page of a timeline begins. Of the events older than *before*, the newest *skip* events are left out."""

    before: datetime
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page of a timeline. *names* maps the ids of the managers and members that the changes mention to their names. *apps* maps the
    names of the applications that the caller may read to their display names. *next* is where the following page begins.
    """

    events: Sequence[Event]
    names: dict[str, str]
    apps: dict[str, str]
    next: TimelinePosition | None = None


@dataclass(frozen=True, slots=True)
class _Period:
    """The period from *after* (inclusive) to *before* (exclusive), from which the newest events of an object are read, at most *most* of
    them.
    """

    object_id: str
    after: datetime | None
    before: datetime | None
    most: int


@needs(Permission.DIRECTORY_READ)
async def find_subject(context: Context, name: str, *, kind: SubjectKind | None = None) -> TimelineSubject:
    """Return the person or group with *name*. If *kind* is None, a person is preferred to a group; objects outside the recycle bin are
    preferred to those in it. Raises LockstepError if there is neither a person nor a group with this name.
    """
    async with context.reading() as connection:
        missing: LockstepError | None = None
        for is_deleted in (False, True):
            for one in (kind,) if kind else ("person", "group"):
                try:
                    return await _subject(connection, name, is_group=one == "group", is_deleted=is_deleted)
                except LockstepError as unknown:
                    if unknown.kind is not Kind.NOT_FOUND:
                        raise
                    missing = missing or unknown
    raise missing or not_found(f"There is no person or group {name}")


async def _subject(connection: Connection, name: str, *, is_group: bool, is_deleted: bool) -> TimelineSubject:
    if is_group:
        group = await find_group(connection, name, is_deleted=is_deleted)
        return TimelineSubject(group.id, group.display_name)
    person = await (find_deleted_person if is_deleted else find_person)(connection, name)
    return TimelineSubject(person.id, person.user_principal_name)


@needs(Permission.DIRECTORY_READ)
async def show_timeline(
    context: Context,
    object_id: str,
    *,
    only: str = "",
    after: datetime | None = None,
    before: datetime | None = None,
    skip: int = 0,
    limit: int = PAGE,
) -> Timeline:
    """Return one page of events, newest first. The page begins at the position (*before*, *skip*), and has no event that is older than
    *after*. *only* is `directory`, `sign-ins`, or the name of one application. Without *only*, records of applications whose log the caller
    may not read are left out.

    Raises LockstepError if *only* names an unknown application, or one whose log the caller may not read.
    """
    period = _Period(object_id, after, before, skip + limit + 1)
    async with context.reading() as connection:
        rows = await applications.list_applications(connection)
        names = {one.name: one.display_name for one in rows if context.actor.may(Permission.APPLICATIONS_READ, one.id)}
        if only not in ("", DIRECTORY, SIGN_INS):
            _require_readable(context, only, names, rows)
        logged = {one.id: one for one in rows if context.actor.may(Permission.LOGS_READ, one.id)}
        apps = None if context.actor.everywhere(Permission.LOGS_READ) else sorted(logged)
        events: list[Event] = []
        if only in ("", DIRECTORY):
            changed = await changes.history_of(
                connection, object_id, limit=period.most, after=period.after, before=period.before
            )
            events += [Event(row.at, change=row) for row in changed]
        if only in ("", SIGN_INS):
            events += await _sign_ins(connection, period, apps)
        if only not in (DIRECTORY, SIGN_INS):
            chosen = [one.id for one in rows if one.name == only] if only else apps
            events += await _records(connection, period, chosen, {one.id: one.display_name for one in logged.values()})
        events.sort(key=lambda one: one.at, reverse=True)
        shown, following = _page(events[skip:], skip, limit)
        return Timeline(shown, await _names(connection, shown), names, following)


def _require_readable(context: Context, app: str, names: Collection[str], rows: Sequence[ApplicationRow]) -> None:
    """Raise LockstepError if there is no application *app*, or if the caller may not read its log."""
    if app not in names:
        known = (DIRECTORY, SIGN_INS, *names)
        raise not_found(
            f'Unknown application "{app}"',
            next_step=did_you_mean(app, known, otherwise="List them: lockstep apps list"),
        )
    for one in rows:
        if one.name == app:
            context.actor.require(Permission.LOGS_READ, one.id)


async def _sign_ins(connection: Connection, period: _Period, apps: list[str] | None) -> list[Event]:
    """Return the sign-ins of the period to the applications *apps*. If *apps* is None, return all sign-ins of the period."""
    wanted = SignInFilter(person=period.object_id, after=period.after, before=period.before, apps=apps)
    rows = await sign_in_log.read_log(connection, wanted, limit=period.most, by_time=True)
    return [Event(row.at, app=row.app_display or "My Apps", sign_in=row) for row in rows]


async def _records(
    connection: Connection, period: _Period, apps: list[str] | None, display_names: Mapping[str, str]
) -> list[Event]:
    """Return the records of the provisioning log about the applications *apps*. If *apps* is None, return the records about all
    applications.
    """
    wanted = LogFilter(source_id=period.object_id, after=period.after, before=period.before, apps=apps)
    rows = await provisioning_log.read_log(connection, wanted, limit=period.most, by_time=True)
    return [Event(row.at, record=row, app=display_names.get(row.app or "", "a deleted application")) for row in rows]


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
    """Yield all events from *after* (inclusive) to *before* (exclusive), newest first, in pages of at most *size* events. *only* has the
    same meaning as for `show_timeline`, and the same errors are raised.
    """
    position = TimelinePosition(before) if before is not None else None
    while True:
        page = await show_timeline(
            context,
            object_id,
            only=only,
            after=after,
            before=position.before if position else None,
            skip=position.skip if position else 0,
            limit=size,
        )
        yield page
        position = page.next
        if position is None:
            return


def _page(events: Sequence[Event], skipped: int, limit: int) -> tuple[Sequence[Event], TimelinePosition | None]:
    """Return up to *limit* of the sorted *events*, and where the next page begins.

    Events of one moment are kept on one page. If they do not fit on a page, the next page skips those that were already returned.
    """
    if len(events) <= limit:
        return events, None
    whole = [one for one in events[:limit] if one.at != events[limit].at]
    if whole:
        return whole, TimelinePosition(whole[-1].at)
    return events[:limit], TimelinePosition(events[0].at + timedelta(microseconds=1), skipped + limit)


async def _names(connection: Connection, events: Sequence[Event]) -> dict[str, str]:
    names: dict[str, str] = {}
    if mentioned := sorted({one for event in events if event.change is not None for one in _mentioned(event.change)}):
        for kind in ("User", "Group"):
            names |= await provisioning_log.source_names(connection, kind, mentioned)
    return names


def _mentioned(change: ChangeRow) -> Iterator[str]:
    """Yield the ids of a changed manager and of the first changed members, whose names the page shows."""
    for values in (change.before or {}, change.after or {}):
        if values.get(MANAGER):
            yield str(values[MANAGER])
        yield from (str(one) for one in values.get("members", [])[:MOST_NAMED])
