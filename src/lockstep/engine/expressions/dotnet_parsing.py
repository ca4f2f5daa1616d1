"""Parse a date in a given .NET format, as strictly as .NET's ParseExact does.

`d`, `M`, `h` and similar specifiers accept one or two digits; `dd`, `MM`, `hh` and similar ones exactly two. The zone is kept as written;
times are not converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from lockstep.engine.expressions.dates import offset_minutes
from lockstep.engine.expressions.dotnet_formats import DAYS, MONTHS, FormatPart, Stamp, parts_of
from lockstep.engine.expressions.errors import ExpressionTrouble, shown

STYLES = (
    "None",
    "AllowLeadingWhite",
    "AllowTrailingWhite",
    "AllowInnerWhite",
    "AllowWhiteSpaces",
    "NoCurrentDateDefault",
    "AdjustToUniversal",
    "AssumeLocal",
    "AssumeUniversal",
    "RoundtripKind",
)
DEFAULT_STYLES = frozenset(("RoundtripKind", "AllowLeadingWhite", "AllowTrailingWhite"))
NEWEST_TWO_DIGIT_YEAR = 2049


def parse_styles(text: str | None) -> frozenset[str]:
    """Parse the DateTimeStyles listed in *text*; missing or empty means the default styles."""
    if not text or not text.strip():
        return DEFAULT_STYLES
    names = [name.strip().removeprefix("DateTimeStyles.") for name in text.replace("|", ",").split(",")]
    for name in names:
        if name not in STYLES:
            expected = f"of {', '.join(STYLES)}"
            raise ExpressionTrouble(f"does not know the date style {shown(name)}", argument="styles", expected=expected)
    return frozenset(names)


def parse_date_exactly(text: str, form: str, styles: frozenset[str], now: datetime) -> Stamp:
    """Parse *text* in the format *form*. Raises ExpressionTrouble if *text* does not match the format.

    If the format has no year, the present year is used. A missing month or day is 1. If the format has no date at all, the date is today.
    """
    wide = "AllowWhiteSpaces" in styles
    if wide or "AllowLeadingWhite" in styles:
        text = text.lstrip()
    if wide or "AllowTrailingWhite" in styles:
        text = text.rstrip()
    reader = _Reader(text, wide or "AllowInnerWhite" in styles)
    try:
        parts = parts_of(form)
        for part, following in zip_longest(parts, parts[1:]):
            if (
                part.literal == "."
                and following
                and following.specifier == "F"
                and text[reader.at : reader.at + 1] != "."
            ):
                continue  # the decimal point belongs to the fraction, which may be missing
            reader.read(part)
        if reader.at != len(text):
            raise ValueError("more text")
        stamp = reader.stamp(datetime.min if "NoCurrentDateDefault" in styles else now)
        if "AdjustToUniversal" in styles:
            stamp = stamp.in_utc()
    except (ValueError, OverflowError):
        message = f"cannot read {{value}} as a date in the format {shown(form)}"
        expected = f"a date in the format {form[:40]}"
        raise ExpressionTrouble(message, argument="source", expected=expected, value=text) from None
    if stamp.offset is None and styles & {"AssumeUniversal", "AssumeLocal"}:
        return Stamp(stamp.local, stamp.ticks, 0)
    return stamp


@dataclass(slots=True)
class _Reader:
    text: str
    skips_blanks: bool
    at: int = 0
    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None
    hour: int = 0
    has_twelve_hours: bool = False
    afternoon: bool | None = None
    minute: int = 0
    second: int = 0
    ticks: int = 0
    offset: int | None = None

    def read(self, part: FormatPart) -> None:
        if self.skips_blanks:
            while self.text[self.at : self.at + 1].isspace():
                self.at += 1
        length = part.length
        match part.specifier:
            case "":
                self.literal(part.literal)
            case "y":
                self.year = self.full_year(length)
            case "M":
                self.month = self.number(length) if length <= 2 else self.name(MONTHS, length) + 1
            case "d" if length <= 2:
                self.day = self.number(length)
            case "d":
                self.weekday = self.name(DAYS, length)
            case "H" | "h":
                self.hour = self.number(min(length, 2))
                self.has_twelve_hours = part.specifier == "h"
            case "m":
                self.minute = self.number(min(length, 2))
            case "s":
                self.second = self.number(min(length, 2))
            case "t":
                self.half(min(length, 2))
            case "f":
                self.ticks = int(self.digits(length, length).ljust(7, "0"))
            case "F":
                self.ticks = int(self.digits(0, length).ljust(7, "0"))
            case "g":
                self.literal("A.D.")
            case specifier:
                self.zone(specifier, length)

    def stamp(self, now: datetime) -> Stamp:
        hour = self.full_hour()
        has_date = not (self.year is None and self.month is None and self.day is None)
        year = now.year if self.year is None else self.year
        month = (1 if has_date else now.month) if self.month is None else self.month
        day = (1 if has_date else now.day) if self.day is None else self.day
        local = datetime(year, month, day, hour, self.minute, self.second)  # as written, without the zone
        if self.weekday is not None and local.weekday() != self.weekday:
            raise ValueError("weekday")
        return Stamp(local, self.ticks, self.offset)

    def full_hour(self) -> int:
        if self.has_twelve_hours:
            if self.hour > 12:
                raise ValueError("hour")
            # Without AM or PM, the time is in the morning.
            return self.hour % 12 + (12 if self.afternoon else 0)
        if self.afternoon is not None and self.afternoon != (self.hour >= 12):
            raise ValueError("hour and AM or PM")  # such as 3:00 PM with a 24-hour format
        return self.hour

    def digits(self, least: int, most: int) -> str:
        end = self.at
        while end < len(self.text) and end - self.at < most and self.text[end] in "0123456789":
            end += 1
        if end - self.at < least:
            raise ValueError("digits")
        found = self.text[self.at : end]
        self.at = end
        return found

    def number(self, length: int) -> int:
        return int(self.digits(1, 2) if length == 1 else self.digits(length, length))

    def full_year(self, length: int) -> int:
        year = self.number(length)
        if length > 2:
            return year
        century = NEWEST_TWO_DIGIT_YEAR // 100 * 100
        return century + year - (100 if century + year > NEWEST_TWO_DIGIT_YEAR else 0)

    def name(self, names: tuple[str, ...], length: int) -> int:
        rest = self.text[self.at : self.at + 12].lower()
        for index, name in enumerate(names):
            written = name[:3] if length == 3 else name
            if rest.startswith(written.lower()):
                self.at += len(written)
                return index
        raise ValueError("name")

    def half(self, length: int) -> None:
        found = self.text[self.at : self.at + length].upper()
        if found not in ("AM"[:length], "PM"[:length]):
            raise ValueError("AM or PM")
        self.afternoon = found[0] == "P"
        self.at += length

    def zone(self, specifier: str, length: int) -> None:
        first = self.text[self.at : self.at + 1]
        if specifier == "K" and first not in ("Z", "+", "-"):
            return
        if specifier == "K" and first == "Z":
            self.at += 1
            self.offset = 0
            return
        if first not in ("+", "-"):
            raise ValueError("offset")
        self.at += 1
        hours = self.digits(2 if length == 2 else 1, 2)
        minutes = ""
        if specifier == "K" or length >= 3:
            if self.text[self.at : self.at + 1] == ":":
                self.at += 1
            minutes = self.digits(2, 2)
        self.offset = offset_minutes(f"{first}{hours.zfill(2)}{minutes}")

    def literal(self, expected: str) -> None:
        if not self.text.startswith(expected, self.at):
            raise ValueError("literal")
        self.at += len(expected)
