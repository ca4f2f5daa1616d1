"""Parse dates in the formats that files use. Most formats have one meaning; `3/4/2026` has two.

Whether the day or the month comes first is decided once for a whole column: by a date that is valid in only one order, or by an
administrator. If each value were decided on its own, part of a column could be read in the wrong order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class DayOrder(StrEnum):
    """Whether the day or the month comes first in a date such as 3/4/2026."""

    DAY_FIRST = "DD/MM/YYYY"
    MONTH_FIRST = "MM/DD/YYYY"


@dataclass(frozen=True, slots=True)
class DateForm:
    """The format of the dates in a column. *order* is None until it has been decided. *pattern* is a `strptime` pattern, which is tried
    first.
    """

    order: DayOrder | None = None
    pattern: str = ""


ANY_FORM = DateForm()

_TIME = (
    r"(?:[ T,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?"
)
_NUMERIC = re.compile(r"(?P<first>\d{1,2})(?P<mark>[/.-])(?P<next>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})" + _TIME)
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})(?P<mark>[/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})" + _TIME)
_DAY_NAMED = re.compile(r"(?P<day>\d{1,2})[ .-]+(?P<name>[A-Za-z]{3,9})[ .,-]+(?P<year>\d{4}|\d{2})" + _TIME)
_NAME_FIRST = re.compile(r"(?P<name>[A-Za-z]{3,9})[ .-]+(?P<day>\d{1,2})(?:,|[ -]) ?(?P<year>\d{4})" + _TIME)
_GENERALIZED = re.compile(r"(\d{14})(?:[.,]\d+)?Z")  # RFC 4517, section 3.3.13, as LDAP exports it
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
           "december")  # fmt: skip
_TOKENS = (
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("HH", "%H"),
    ("mm", "%M"),
    ("ss", "%S"),
)
_LATEST_SHORT_YEAR = 40  # 26 is 2026, 55 is 1955


def read_date(text: str, form: DateForm = ANY_FORM) -> str | None:
    """Convert *text* to ISO format in UTC. Returns None if *text* is not a date, or is ambiguous under *form*.

    A time without a zone is taken as UTC.
    """
    moment = _moment(text, form)
    if moment is None:
        return None
    try:
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
    return aware.isoformat(timespec="seconds").replace("+00:00", "Z")


def orders_of(text: str) -> frozenset[DayOrder]:
    """Return the possible orders of day and month in *text*, a numeric date such as 3/4/2026. The result contains both orders if *text* is
    ambiguous.

    The result is empty if the order makes no difference, or if *text* is not such a date. The result is also empty if the numbers are
    separated by dots, because the day then always comes first.
    """
    found = _NUMERIC.fullmatch(text)
    if found is None or found["mark"] == "." or found["first"].lstrip("0") == found["next"].lstrip("0"):
        return frozenset()
    return frozenset(order for order in DayOrder if _numeric(found, order) is not None)


def is_clocked_in_halves(text: str) -> bool:
    """Whether *text* contains AM or PM, as in Entra's downloads. In a column of such dates, the month comes first unless a date proves
    otherwise.
    """
    found = _NUMERIC.fullmatch(text)
    return bool(found and found["half"])


def form_from_text(text: str) -> DateForm | None:
    """Parse a date format such as `DD.MM.YYYY` or `%d.%m.%Y`. Returns None if the format lacks a day, a month or a year."""
    pattern = text.strip()
    if "%" not in pattern:
        for token, directive in _TOKENS:
            pattern = pattern.replace(token, directive)
    names = re.findall(r"%(.)", pattern)
    if not ("d" in names and {"Y", "y"} & set(names) and {"m", "b", "B"} & set(names)) or set(names) - set(
        "dmbBYyHMSpIfz"
    ):
        return None
    numeric = "m" in names
    order = None
    if numeric:
        order = DayOrder.DAY_FIRST if names.index("d") < names.index("m") else DayOrder.MONTH_FIRST
    return DateForm(order, pattern)


def _moment(text: str, form: DateForm) -> datetime | None:
    if form.pattern:
        try:
            return datetime.strptime(text, form.pattern)
        except ValueError:
            pass  # an ISO date keeps its meaning in such a column
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if found := _GENERALIZED.fullmatch(text):
        return _built(found[1][:4], found[1][4:6], found[1][6:8], time=tuple(found[1][n : n + 2] for n in (8, 10, 12)))
    if found := _NUMERIC.fullmatch(text):
        order = DayOrder.DAY_FIRST if found["mark"] == "." else form.order
        if order is None:
            orders = [one for one in DayOrder if _numeric(found, one) is not None]
            same_day = found["first"].lstrip("0") == found["next"].lstrip("0")
            order = orders[0] if orders and (len(orders) == 1 or same_day) else None
        return _numeric(found, order) if order else None
    if found := _YEAR_FIRST.fullmatch(text):
        return _built(found["year"], found["month"], found["day"], time=_time(found))
    if found := _DAY_NAMED.fullmatch(text) or _NAME_FIRST.fullmatch(text):
        return _built(found["year"], _month(found["name"]), found["day"], time=_time(found))
    return None


def _numeric(found: re.Match[str], order: DayOrder) -> datetime | None:
    day, month = found["first"], found["next"]
    if order is DayOrder.MONTH_FIRST:
        day, month = month, day
    return _built(found["year"], month, day, time=_time(found))


def _time(found: re.Match[str]) -> tuple[str, ...]:
    if not found["hour"]:
        return ()
    hour = found["hour"]
    if found["half"]:
        if not 1 <= int(hour) <= 12:
            return ("99",)  # rejected later, since no day has this hour
        hour = str(int(hour) % 12 + (12 if found["half"].lower() == "p" else 0))
    return (hour, found["minute"], found["second"] or "0")


def _month(name: str) -> str:
    places = [place for place, month in enumerate(_MONTHS, 1) if month.startswith(name.lower())]
    return str(places[0]) if len(places) == 1 else "0"


def _built(year: str, month: str, day: str, *, time: tuple[str, ...] = ()) -> datetime | None:
    number = int(year)
    if len(year) == 2:
        number += 2000 if number <= _LATEST_SHORT_YEAR else 1900
    hour, minute, second = (int(part) for part in (*time, "0", "0", "0")[:3])
    try:
        return datetime(number, int(month), int(day), hour, minute, second)
    except ValueError:
        return None
