"""Parse and print ISO 8601 durations (P30D, PT40M). Months and years are refused because they have no fixed length."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(
    r"P(?:(?P<weeks>[0-9]{1,5})W)?(?:(?P<days>[0-9]{1,6})D)?"
    r"(?:T(?:(?P<hours>[0-9]{1,6})H)?(?:(?P<minutes>[0-9]{1,6})M)?(?:(?P<seconds>[0-9]{1,9})S)?)?"
)


def parse_duration(text: str) -> timedelta | None:
    """Parse *text*, or return None if it is not a valid duration."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    return timedelta(**{unit: int(count) for unit, count in match.groupdict().items() if count})


def print_duration(duration: timedelta) -> str:
    """Print the shortest form in days, hours, minutes and seconds. Whole days are printed as days."""
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{duration.days}D" if duration.days else ""
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
    return f"P{days}T{time}" if time else f"P{days or '0D'}"
