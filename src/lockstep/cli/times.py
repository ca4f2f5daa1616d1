"""Times and durations in commands: typed as `40m` or as a date, shown in the local zone, written in UTC in JSON.

A duration without a unit is refused: 30 could mean seconds or days.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from lockstep.actions.rows.times import iso as iso
from lockstep.wording import read_length


class LengthOfTime(click.ParamType[timedelta]):
    """A duration such as 30s, 40m, 2h, 7d or 1w."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        length = read_length(str(value))
        if length is None:
            self.fail(f'"{value}" is not a valid duration; examples: 30s, 40m, 2h, 7d, 1w', param, ctx)
        return length


class PointInTime(click.ParamType[datetime]):
    """A point in time, typed as a duration before now (2h, 7d, 1w), as a day (2026-11-01, which means its midnight) or as a time
    (2026-11-01T08:00). Days and times are in the local zone.
    """

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        if re.fullmatch(r"\d+\s*[a-z]", text, re.ASCII):
            return datetime.now(UTC) - LENGTH.convert(text, param, ctx)
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f'"{value}" is not a valid time; examples: 2h, 7d, 1w, 2026-11-01, 2026-11-01T08:00', param, ctx)


LENGTH = LengthOfTime()
TIME = PointInTime()


def length_text(length: timedelta | None) -> str:
    """Return *length* in the largest unit that needs no fraction."""
    if length is None:
        return ""
    seconds = int(length.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def stamp(at: datetime | None) -> str:
    """Return *at* for a table; "" for None."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else ""


def local_time(text: str) -> str:
    """Convert *text*, a time as `iso` writes it, to a time in the local zone. The date is left out if it is today's date."""
    if not text:
        return ""
    at = datetime.fromisoformat(text).astimezone()
    return at.strftime("%H:%M:%S") if at.date() == datetime.now().astimezone().date() else at.strftime("%Y-%m-%d %H:%M")


def local_stamp(at: datetime | None) -> str:
    """Return *at* in the local zone; "" for None."""
    return local_time(iso(at) or "")
