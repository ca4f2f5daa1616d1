"""The timeline of a person or a group: each event with its text, tone, page and changed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from lockstep.actions.context import Context
from lockstep.actions.logs import ChangeRow, LogRow
from lockstep.actions.sign_in_logs import SignInRow
from lockstep.actions.timeline import DIRECTORY, MOST_NAMED, SIGN_INS, Event, show_timeline
from lockstep.web.log_form import RANGES, day_after, days_in
from lockstep.web.page import Chip, address
from lockstep.web.record_sentence import sentence_of
from lockstep.web.sign_in_form import SignInLine
from lockstep.web.status_look import result_look

TIMELINE_FILES: Mapping[str, str] = {"timeline.csv": "Timeline (CSV)", "timeline.json": "Timeline (JSON)"}
_MOST_LISTED = 4  # attributes of a change that are shown without opening it
_CHANGED: Mapping[str, str] = {"memberAdded": "Members added", "memberRemoved": "Members removed"}
_ASSIGNMENTS: Mapping[str, str] = {"assigned": "Assigned to", "unassigned": "No longer assigned to"}


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry. *by* says who did it, or is "" for Lockstep itself. *pairs* contains attribute, old value and new value of each change."""

    at: datetime
    title: str
    by: str
    detail: str
    tone: str
    href: str
    pairs: Sequence[tuple[str, Any, Any]]

    @property
    def is_long(self) -> bool:
        return len(self.pairs) > _MOST_LISTED


@dataclass(frozen=True, slots=True)
class TimelineQuery:
    """The filters in the address of a timeline. *only* is an application, `directory` or `sign-ins`. Unknown values are ignored."""

    only: str = ""
    range: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], apps: Mapping[str, str]) -> TimelineQuery:
        only, span = query.get("only", ""), query.get("range", "")
        days = days_in({name: query.get(name, "").strip() for name in ("since", "until")})
        return cls(
            only if only in (DIRECTORY, SIGN_INS, *apps) else "",
            span if span in RANGES else "",
            days["since"],
            days["until"],
        )

    def as_query(self) -> dict[str, str]:
        return {"only": self.only, "range": self.range, "since": self.since, "until": self.until}

    @property
    def is_zoomed(self) -> bool:
        return bool(self.range or self.since or self.until)

    def after(self, now: datetime) -> datetime | None:
        length = RANGES[self.range][1]
        return day_after(self.since) or (now - length if length else None)

    @property
    def before(self) -> datetime | None:
        return day_after(self.until, days=1)


async def timeline_of(
    context: Context, request: Request, here: str, object_id: str, apps: Mapping[str, str], *, signs_in: bool = False
) -> dict[str, Any]:
    """Return the data for the template `timeline.html`. The address contains the filter, the period and the page. If *signs_in* is true,
    the person's sign-ins are included.
    """
    query = TimelineQuery.of(request.query_params, apps)
    given, before = query.as_query(), _as_moment(request.query_params.get("before", ""))
    found = await show_timeline(
        context, object_id, only=query.only, after=query.after(context.now()), before=before or query.before
    )
    chips = [("", "All"), (DIRECTORY, "Directory"), *([(SIGN_INS, "Sign-ins")] if signs_in else []), *apps.items()]
    return {
        "moments": [timeline_entry(one, found.names, apps) for one in found.events],
        "timeline_query": query,
        "timeline_here": here,
        "timeline_ranges": [
            Chip(
                label,
                address(here, only=query.only, range=key),
                key == query.range and not (query.since or query.until),
            )
            for key, (label, _) in RANGES.items()
        ],
        "timeline_downloads": [
            (label, address(f"{here}/timeline/{name}", **given)) for name, label in TIMELINE_FILES.items()
        ],
        "timeline_chips": [
            Chip(label, address(here, **{**given, "only": key}), key == query.only) for key, label in chips
        ],
        "timeline_next": address(here, **given, before=found.next.isoformat()) if found.next else None,
        "timeline_first": address(here, **given) if before else None,
    }


def _as_moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def timeline_entry(event: Event, names: Mapping[str, str], apps: Mapping[str, str]) -> TimelineEntry:
    if event.sign_in is not None:
        return _of_sign_in(event, event.sign_in)
    return _of_change(event.change, names, apps) if event.change is not None else _of_record(event)


def _of_sign_in(event: Event, row: SignInRow) -> TimelineEntry:
    line = SignInLine(row)
    title = f"Signed in to {event.app}" if row.result == "success" else f"Could not sign in to {event.app}"
    detail = ", ".join(part for part in (line.reason, f"from {row.address}" if row.address else "") if part)
    return TimelineEntry(event.at, title, "", detail, line.look.tone, f"/logs/sign-ins/{row.id}", ())


def _of_change(change: ChangeRow, names: Mapping[str, str], apps: Mapping[str, str]) -> TimelineEntry:
    before, after = change.before or {}, change.after or {}
    app = apps.get(str({**before, **after}.get("application")))
    if app is not None and change.what in _ASSIGNMENTS:
        return TimelineEntry(change.at, f"{_ASSIGNMENTS[change.what]} {app}", change.actor, "", "neutral", "", ())
    pairs = [(name, _shown(before.get(name), names), _shown(after.get(name), names)) for name in change.changed]
    title = _CHANGED.get(change.what, f"{change.what.capitalize()} in the directory")
    return TimelineEntry(change.at, title, change.actor, "", "neutral", "", pairs)


def _of_record(event: Event) -> TimelineEntry:
    row = event.record
    assert isinstance(row, LogRow)  # noqa: S101  # an event is a change or a record
    look = result_look(row.status)
    sentence = sentence_of(row, event.app)
    title = sentence[0].upper() + sentence[1:]
    changed = row.record.get("modifiedProperties", [])
    pairs = [(one["displayName"], one.get("oldValue"), one.get("newValue")) for one in changed]
    by = "" if row.initiated_by == "system" else row.initiated_by
    return TimelineEntry(row.at, title, by, row.reason, look.tone, f"/logs/provisioning/{row.change_id}", pairs)


def _shown(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        some = ", ".join(names.get(str(one), str(one)) for one in value[:MOST_NAMED])
        return some + (f" and {len(value) - MOST_NAMED:,} more" if len(value) > MOST_NAMED else "")
    return names.get(value, value) if isinstance(value, str) else value
