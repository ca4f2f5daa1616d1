"""The timeline of a person or a group: each event with its text, tone, page and changed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from lockstep.actions.context import Context
from lockstep.actions.rows.timeline import event_json
from lockstep.actions.timeline import DIRECTORY, MOST_SKIPPED, SIGN_INS, Event, show_timeline
from lockstep.web.copied import command_with, filter_of
from lockstep.web.log_form import RANGES, day_after, days_in, number_in, span_flags, time_terms
from lockstep.web.page import Chip, CopyAs, address
from lockstep.web.sign_in_form import SignInLine
from lockstep.web.status_look import result_look

TIMELINE_FILES: Mapping[str, str] = {"timeline.csv": "Timeline (CSV)", "timeline.json": "Timeline (JSON)"}
_MOST_LISTED = 4  # attributes of a change that are shown without opening it


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

    def copied(self, name: str, api: str, now: datetime) -> CopyAs:
        """Return the command and the API address that list the same events as the page. *name* is the person or group in the command. *api*
        is the address of the person or group in the API.
        """
        flags = span_flags(self.range, self.since, self.until)
        return CopyAs(
            title="Timeline",
            command=command_with(f"lockstep timeline {name}", only=self.only, **flags),
            api=address(f"{api}/timeline", only=self.only, filter=filter_of(*time_terms(self.after(now), self.before))),
        )


async def timeline_of(
    context: Context, request: Request, here: str, object_id: str, apps: Mapping[str, str], *, signs_in: bool = False
) -> dict[str, Any]:
    """Return the data for the template `timeline.html`. The address contains the filter, the period and the page. If *signs_in* is true,
    the person's sign-ins are included.
    """
    query = TimelineQuery.of(request.query_params, apps)
    given, before = query.as_query(), _as_moment(request.query_params.get("before", ""))
    found = await show_timeline(
        context,
        object_id,
        only=query.only,
        after=query.after(context.now()),
        before=before or query.before,
        skip=min(number_in(request.query_params, "skip") or 0, MOST_SKIPPED),
    )
    rest = {"before": found.next.before.isoformat(), "skip": str(found.next.skip or "")} if found.next else {}
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
        "timeline_next": address(here, **given, **rest) if rest else None,
        "timeline_first": address(here, **given) if before else None,
    }


def _as_moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def timeline_entry(event: Event, names: Mapping[str, str], apps: Mapping[str, str]) -> TimelineEntry:
    shown = event_json(event, names, apps)
    tone, href = _look_of(event)
    pairs = [(one["attribute"], one["before"], one["after"]) for one in shown["changes"]]
    return TimelineEntry(event.at, shown["event"], shown["by"], shown["detail"], tone, href, pairs)


def _look_of(event: Event) -> tuple[str, str]:
    """Return the tone of an event, and the address of the page that shows its record. The address is "" if the event has no record."""
    if event.sign_in is not None:
        return SignInLine(event.sign_in).look.tone, f"/logs/sign-ins/{event.sign_in.id}"
    if event.record is not None:
        return result_look(event.record.status).tone, f"/logs/provisioning/{event.record.change_id}"
    return "neutral", ""
