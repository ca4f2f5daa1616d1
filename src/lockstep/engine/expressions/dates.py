"""Parse and print the dates of the date functions.

Accepts `M/d/yyyy h:mm:ss tt` and ISO 8601. An ISO 8601 date may be followed by a time (after `T` or a space) and an offset. All dates are
converted to UTC; a missing offset means UTC. Prints `M/d/yyyy h:mm:ss tt`, without zone and fractions of a second.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.values import ExpressionValue, to_text

# Safe with `re`: no two parts of these patterns can match the same characters, so matching is linear.
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?)?"
    r" ?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_AMERICAN = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?: ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?: ?([AaPp][Mm]))?)?"
)
EXPECTED_DATE = "a date such as 2021-06-30, 2021-06-30T08:00:00+02:00 or 6/30/2021 8:00:00 AM"
EPOCH_OF_FILETIME = datetime(1601, 1, 1, tzinfo=UTC)
TICKS_PER_SECOND = 10_000_000


def parse_date(text: str) -> datetime | None:
    """Parse *text* as an aware UTC time, or return None if it is not in an accepted format."""
    text = text.strip()
    if len(text) > 64:
        return None
    try:
        if match := _ISO.fullmatch(text):
            return _iso(match)
        if match := _AMERICAN.fullmatch(text):
            return _american(match)
    except (ValueError, OverflowError):
        return None
    return None


def to_date(value: ExpressionValue, argument: str = "") -> datetime | None:
    """Convert *value* to an aware UTC time; null gives None."""
    text = to_text(value, argument)
    if text is None:
        return None
    date = parse_date(text)
    if date is None:
        message = f"needs a date{f' for {argument}' if argument else ''}, got {{value}}"
        raise ExpressionTrouble(message, argument=argument, expected=EXPECTED_DATE, value=text)
    return date


def show_date(date: datetime) -> str:
    """Format *date* as `M/d/yyyy h:mm:ss tt`."""
    half = "AM" if date.hour < 12 else "PM"
    hour = date.hour % 12 or 12
    return f"{date.month}/{date.day}/{date.year:04} {hour}:{date.minute:02}:{date.second:02} {half}"


def offset_minutes(text: str) -> int:
    """Parse `Z`, `+08:00` or `-0730` as minutes east of UTC. Raises ValueError beyond 14 hours."""
    if text in ("Z", "z"):
        return 0
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    if minutes > 14 * 60 or int(digits[2:] or 0) > 59:
        raise ValueError("offset")
    return -minutes if text[0] == "-" else minutes


def _iso(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    microsecond = int((fraction or "0").ljust(6, "0")[:6])
    offset = timezone(timedelta(minutes=offset_minutes(zone))) if zone else UTC
    local = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), microsecond, offset
    )
    return local.astimezone(UTC)


def _american(match: re.Match[str]) -> datetime:
    month, day, year, hour, minute, second, half = match.groups()
    number = int(hour or 0)
    if half:
        if not 1 <= number <= 12:
            raise ValueError("hour")
        number = number % 12 + (12 if half.lower() == "pm" else 0)
    return datetime(int(year), int(month), int(day), number, int(minute or 0), int(second or 0), tzinfo=UTC)
