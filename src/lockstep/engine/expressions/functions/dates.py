"""Functions for dates. Functions exchange dates as text, always in UTC: `M/d/yyyy h:mm:ss tt`.

DateDiff counts as in Visual Basic. Days, hours, minutes and seconds count when they have passed completely; weeks, months and years count
as soon as a boundary is crossed.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

from lockstep.engine.expressions.catalogue import Example, date, function, integer, word
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.dates import (
    EPOCH_OF_FILETIME,
    TICKS_PER_SECOND,
    show_date,
)
from lockstep.engine.expressions.errors import ExpressionTrouble, shown
from lockstep.engine.expressions.kinds import ValueKind

INTERVALS = ("yyyy", "m", "d", "ww", "h", "n", "s")
_SECONDS = {"ww": 604_800, "d": 86_400, "h": 3_600, "n": 60, "s": 1}
_INTERVAL = word("interval", "yyyy year, m month, d day, ww week, h hour, n minute, s second", INTERVALS)
_HIRED = {"StatusHireDate": "2012-03-16-07:00"}


@function(
    "Now",
    returns=ValueKind.DATE,
    meaning="The current date and time.",
    pure=False,
    wants_context=True,
    examples=[Example("Now()", "7/2/2021 3:33:38 PM", now="2021-07-02T15:33:38Z")],
)
def now(context: EvaluationContext, label: str) -> str:
    return show_date(context.moment.now.astimezone(UTC))


@function(
    "CDate",
    date("expression", "an ISO 8601 date, with or without time and offset, or M/d/yyyy h:mm:ss tt"),
    returns=ValueKind.DATE,
    meaning="The date in UTC, for use in other date functions.",
    examples=[
        Example("CDate([StatusHireDate])", "3/16/2020 7:00:00 AM", {"StatusHireDate": "2020-03-16-07:00"}),
        Example('CDate("2021-06-30+08:00")', "6/29/2021 4:00:00 PM"),
        Example('CDate("2009-06-15T01:45:30-07:00")', "6/15/2009 8:45:30 AM"),
    ],
)
def cdate(expression: datetime | None) -> str | None:
    return None if expression is None else show_date(expression)


@function(
    "DateAdd",
    _INTERVAL,
    integer("value", "how many intervals to add; a negative number subtracts"),
    date("date", "a date; convert text with CDate"),
    returns=ValueKind.DATE,
    meaning="The date, moved by a number of intervals. In a month that is too short, the last day is used.",
    examples=[
        Example('DateAdd("d", 7, CDate([StatusHireDate]))', "3/23/2012 7:00:00 AM", _HIRED),
        Example('DateAdd("d", -10, CDate([StatusHireDate]))', "3/6/2012 7:00:00 AM", _HIRED),
        Example('DateAdd("ww", 2, CDate([StatusHireDate]))', "3/30/2012 7:00:00 AM", _HIRED),
        Example('DateAdd("m", 10, CDate([StatusHireDate]))', "1/16/2013 7:00:00 AM", _HIRED),
        Example('DateAdd("yyyy", 2, CDate([StatusHireDate]))', "3/16/2014 7:00:00 AM", _HIRED),
    ],
)
def date_add(interval: str | None, value: int, date: datetime | None) -> str | None:
    _known(interval)
    if date is None:
        return None
    try:
        if interval in _SECONDS:
            return show_date(date + timedelta(seconds=_SECONDS[interval] * value))
        return show_date(_months_later(date, value * (12 if interval == "yyyy" else 1)))
    except (OverflowError, ValueError):
        message = f"leaves the supported range (years 1 to 9999) with {value} times {interval}"
        raise ExpressionTrouble(message, argument="value", expected="a date between the years 1 and 9999") from None


def _months_later(date: datetime, months: int) -> datetime:
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ValueError("year")
    return date.replace(year=year, month=month + 1, day=min(date.day, calendar.monthrange(year, month + 1)[1]))


@function(
    "DateDiff",
    _INTERVAL,
    date("date1", "the start date"),
    date("date2", "the end date"),
    returns=ValueKind.INTEGER,
    meaning="The number of intervals between two dates; negative if the second is earlier.",
    remarks="Days and shorter units: counts whole elapsed intervals. Weeks: counts calendar weeks, which start on Sunday. "
    "Months and years: counts the boundaries crossed.",
    examples=[
        Example('DateDiff("d", CDate([a]), CDate([b]))', 13, {"a": "2021-08-18+08:00", "b": "2021-08-31+08:00"}),
        Example('DateDiff("d", Now(), CDate([StatusHireDate]))', -3449, _HIRED, now="2021-08-25T17:41:18Z"),
        Example('DateDiff("ww", Now(), CDate([StatusHireDate]))', -493, _HIRED, now="2021-08-25T17:41:18Z"),
        Example('DateDiff("m", Now(), CDate([StatusHireDate]))', -113, _HIRED, now="2021-08-25T17:41:18Z"),
        Example('DateDiff("yyyy", Now(), CDate([StatusHireDate]))', -9, _HIRED, now="2021-08-25T17:41:18Z"),
        Example('DateDiff("d", CDate("2021-08-31+08:00"), CDate("2021-08-31+08:00"))', 0),
        Example('DateDiff("h", CDate("2021-08-24"), CDate("2021-08-25"))', 24),
        Example('DateDiff("n", CDate("2021-08-24"), CDate("2021-08-25"))', 1440),
        Example('DateDiff("s", CDate("2021-08-24"), CDate("2021-08-25"))', 86400),
        Example(
            'Switch([Active], , "1", IIF(DateDiff("d", Now(), CDate([StatusHireDate])) > 5, "False", "True"), "0", "False")',
            "True",
            {"Active": "1", "StatusHireDate": "2021-08-28"},
            now="2021-08-25T17:41:18Z",
        ),
    ],
)
def date_diff(interval: str | None, date1: datetime | None, date2: datetime | None) -> int | None:
    known = _known(interval)
    if date1 is None or date2 is None:
        return None
    match known:
        case "yyyy":
            return date2.year - date1.year
        case "m":
            return (date2.year - date1.year) * 12 + date2.month - date1.month
        case "ww":
            return (_sundays(date2) - _sundays(date1)) // 7
        case _:
            elapsed = date2 - date1
            whole = abs(elapsed) // timedelta(seconds=_SECONDS[known])
            return whole if elapsed >= timedelta(0) else -whole


def _sundays(date: datetime) -> int:
    """Return the ordinal (as in `date.toordinal`) of the Sunday on which the week of *date* began."""
    return date.toordinal() - date.isoweekday() % 7


@function(
    "DateFromNum",
    integer("value", "units of 100 ns since 1601-01-01 UTC, as in Active Directory", nullable=True),
    returns=ValueKind.DATE,
    meaning="The date that a timestamp of Active Directory represents.",
    examples=[
        Example("DateFromNum(129699324000000000)", "1/1/2012 11:00:00 PM"),
        Example(
            "DateFromNum([lastLogonTimestamp])", "1/1/2012 11:00:00 PM", {"lastLogonTimestamp": "129699324000000000"}
        ),
    ],
)
def date_from_num(value: int | None) -> str | None:
    if value is None:
        return None
    try:
        return show_date(EPOCH_OF_FILETIME + timedelta(seconds=value // TICKS_PER_SECOND))
    except OverflowError:
        message = f"leaves the supported range (years 1 to 9999) with {value}"
        raise ExpressionTrouble(message, argument="value", expected="a date between the years 1 and 9999") from None


@function(
    "NumFromDate",
    date("value", "a date, ISO 8601 or M/d/yyyy h:mm:ss tt"),
    returns=ValueKind.INTEGER,
    meaning="Converts a date to an Active Directory timestamp: units of 100 ns since 1601-01-01 UTC.",
    examples=[
        Example(
            'NumFromDate(Join("", FormatDateTime([ContractEndDate], ,"yyyy-MM-ddzzz", "yyyy-MM-dd"), " 23:59:59-08:00"))',
            132539615990000000,
            {"ContractEndDate": "2020-12-31-08:00"},
        ),
        Example('NumFromDate(CDate("2012-01-01 23:00:00"))', 129699324000000000),
    ],
)
def num_from_date(value: datetime | None) -> int | None:
    if value is None:
        return None
    elapsed = value - EPOCH_OF_FILETIME
    return (elapsed.days * 86_400 + elapsed.seconds) * TICKS_PER_SECOND + elapsed.microseconds * 10


def _known(interval: str | None) -> str:
    if interval not in INTERVALS:
        expected = f"one of {', '.join(INTERVALS)}"
        raise ExpressionTrouble(
            f"needs {expected} for interval, got {shown(interval)}", argument="interval", expected=expected
        )
    return interval
