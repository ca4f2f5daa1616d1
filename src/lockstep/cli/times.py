"""Times and lengths of time in commands: typed as `40m`, shown in UTC.

A length without its unit is refused: nobody can say whether 30 means seconds or days.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class LengthOfTime(click.ParamType[timedelta]):
    """A length of time such as 30s, 40m, 2h or 7d."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})\s*([smhd])", str(value).strip(), re.ASCII)
        if not found:
            self.fail(f'"{value}" is no length of time such as 30s, 40m, 2h or 7d', param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


LENGTH = LengthOfTime()


def length_text(length: timedelta | None) -> str:
    """*length* in the largest unit that needs no fraction."""
    if length is None:
        return ""
    seconds = int(length.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def stamp(at: datetime | None) -> str:
    """*at* for a table; empty where there is none."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else ""


def iso(at: datetime | None) -> str | None:
    """*at* for machines."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
