"""The filters of the provisioning log, as parameters of an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from lockstep.actions.logs import LogFilter
from lockstep.web.copied import api_list, command_with
from lockstep.web.page import address

RANGES: Mapping[str, tuple[str, timedelta | None]] = {
    "": ("All time", None),
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
STATUSES = [
    ("", "All statuses"),
    ("success", "Success"),
    ("failure", "Failure"),
    ("skipped", "Skipped"),
    ("warning", "Warning"),
]
ACTIONS: Mapping[str, str] = {
    "create": "Create",
    "update": "Update",
    "disable": "Disable",
    "delete": "Delete",
    "stagedDelete": "Staged delete",
    "other": "Other",
}
# Groups of actions that the filter offers as one choice, with their labels.
ACTION_SETS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "gained": ("Got access", ("create",)),
    "lost": ("Lost access", ("disable", "delete", "stagedDelete")),
}
_NAMES = ("app", "status", "action", "range", "since", "until", "start", "end", "code", "person", "text")
_TIMES = ("start", "end")
_MOST_DIGITS = 18  # record numbers are bigints in the database


@dataclass(frozen=True, slots=True)
class LogQuery:
    """The filters in an address. Unknown values of a choice are ignored. *start* and *end* are exact times, which the links of
    charts set.
    """

    app: str = ""
    status: str = ""
    action: str = ""
    range: str = ""
    since: str = ""
    until: str = ""
    start: str = ""
    end: str = ""
    code: str = ""
    person: str = ""
    text: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> LogQuery:
        given = {name: query.get(name, "").strip() for name in _NAMES}
        for name, known in (("status", dict(STATUSES)), ("action", {**ACTIONS, **ACTION_SETS}), ("range", RANGES)):
            if given[name] not in known:
                given[name] = ""
        return cls(**given | days_in(given) | times_in(given))

    def as_query(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in _NAMES if getattr(self, name)}

    def as_filter(self, now: datetime, below: int | None = None) -> LogFilter:
        length = RANGES[self.range][1]
        return LogFilter(
            person=self.person or None,
            status=self.status or None,
            action=self.action if self.action in ACTIONS else None,
            actions=list(ACTION_SETS[self.action][1]) if self.action in ACTION_SETS else None,
            error_code=self.code or None,
            text=self.text or None,
            after=time_in(self.start) or day_after(self.since) or (now - length if length else None),
            before=time_in(self.end) or day_after(self.until, days=1),
            below_seq=below,
        )

    @property
    def exact_times(self) -> str:
        """The period from *start* to *end* as text, or "" if the address contains neither."""
        begin, end = time_in(self.start), time_in(self.end)
        if begin and end:
            return f"{begin:%d %b %H:%M} to {end:%H:%M} UTC"
        return f"From {begin:%d %b %H:%M} UTC" if begin else f"Until {end:%d %b %H:%M} UTC" if end else ""

    @property
    def without_times(self) -> str:
        """The address of the same list without *start* and *end*."""
        return address(
            "/logs/provisioning", **{name: text for name, text in self.as_query().items() if name not in _TIMES}
        )

    def as_command(self) -> str:
        """Return the command that lists the same records, or "" if the command line lacks one of the filters that are set."""
        if self.code or self.text or self.person or self.action in ACTION_SETS:
            return ""
        flags = {name: getattr(self, name) for name in ("app", "status", "action")}
        span = {"since": self.start, "until": self.end} if self.start or self.end else {}
        return command_with("lockstep logs", **flags, **(span_flags(self.range, self.since, self.until) | span))

    def as_api(self, now: datetime) -> str:
        """Return the address of the same list in the API, or "" if the API lacks one of the filters that are set."""
        if self.text or self.action in ACTION_SETS:
            return ""
        wanted = self.as_filter(now)
        return api_list(
            "/api/v1/logs",
            ("application", "eq", self.app),
            ("user", "eq", self.person),
            ("status", "eq", self.status),
            ("action", "eq", self.action),
            ("code", "eq", self.code),
            *time_terms(wanted.after, wanted.before),
        )


def span_flags(range: str, since: str, until: str) -> dict[str, str]:
    """Return `--since` and `--until` for a command. Days on pages are days in UTC, while a command reads a day without a zone as a local
    day.
    """
    begin, end = day_after(since), day_after(until, days=1)
    return {
        "since": f"{begin.date()}T00:00Z" if begin else range,
        "until": f"{end.date()}T00:00Z" if end else "",
    }


def time_terms(after: datetime | None, before: datetime | None) -> list[tuple[str, str, str | bool]]:
    """Return the filter terms of the API for a span of time, exact to the second."""
    ends = (("ge", after), ("lt", before))
    return [("time", op, f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}") for op, at in ends if at]


def days_in(given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters `since` and `until` in *given*. A value that is not a day becomes ""."""
    return {name: given[name] if day_after(given[name]) else "" for name in ("since", "until")}


def times_in(given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters `start` and `end` in *given*. A value that is not an exact time becomes ""."""
    return {name: given[name] if time_in(given[name]) else "" for name in _TIMES}


def time_in(text: str) -> datetime | None:
    """Return an exact time such as 2026-11-01T09:30Z in UTC. Returns None if *text* is not an exact time, or has no zone."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def time_text(at: datetime) -> str:
    """Return the time *at* as text in UTC, exact to the minute, in the form that `time_in` parses."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def day_after(text: str, *, days: int = 0) -> datetime | None:
    """Return the time in UTC at which a day begins: the day *text* such as 2026-11-01, or the day that is *days* days later. Returns None
    if *text* is not a day.
    """
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None


def number_in(query: Mapping[str, str], name: str) -> int | None:
    """Return the number of a record in *query*, or None if it is absent or not a number."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
