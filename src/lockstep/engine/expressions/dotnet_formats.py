"""Parse custom and standard .NET date format strings, and format dates with them (invariant culture).

A single letter is a standard format. To use the letter as a custom format, write it with a percent sign (`%d`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from lockstep.engine.expressions.errors import ExpressionTrouble, shown
from lockstep.engine.expressions.values import within_limit

STANDARD = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "O": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "r": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "s": "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
    "U": "dddd, dd MMMM yyyy HH:mm:ss",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
_SPECIFIERS = frozenset("dfFghHKmMstyz")
MAX_FORMAT = 1_000

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True, slots=True)
class FormatPart:
    """A specifier and its length (`M`, 2), or literal text, for which the specifier is ""."""

    specifier: str
    length: int = 0
    literal: str = ""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A date as it was written. *local* is naive. *ticks* is the fraction of the second in units of 100 ns. *offset* is in minutes, or
    None if unknown.
    """

    local: datetime
    ticks: int = 0
    offset: int | None = None

    def in_utc(self) -> Stamp:
        if not self.offset:
            return Stamp(self.local, self.ticks, 0)
        return Stamp(self.local - timedelta(minutes=self.offset), self.ticks, 0)


@lru_cache(maxsize=512)
def parts_of(form: str) -> tuple[FormatPart, ...]:
    """Split a format into parts. Standard formats are expanded. Raises ExpressionTrouble if *form* is invalid."""
    if len(form) > MAX_FORMAT:
        raise ExpressionTrouble(f"got a format of {len(form):,} characters; the limit is {MAX_FORMAT:,}")
    if len(form) == 1:
        if form not in STANDARD:
            raise ExpressionTrouble(
                f"does not know the standard date format {shown(form)}", expected=" ".join(STANDARD)
            )
        form = STANDARD[form]
    if not form:
        raise ExpressionTrouble('needs a date format such as "yyyy-MM-dd", got an empty text', expected="a date format")
    return tuple(_custom(form))


def _custom(form: str) -> list[FormatPart]:
    found: list[FormatPart] = []
    at = 0
    while at < len(form):
        character = form[at]
        if character in _SPECIFIERS:
            length = len(form[at:]) - len(form[at:].lstrip(character))
            if character in "fF" and length > 7:
                raise ExpressionTrouble(
                    f"got {length} times {character} in a date format; the limit is 7", expected="7 at most"
                )
            found.append(FormatPart(character, length))
            at += length
        elif character in "'\"":
            end = form.find(character, at + 1)
            if end < 0:
                raise ExpressionTrouble(
                    f"got a date format with an open quote: {shown(form)}", expected="a closing quote"
                )
            found.append(FormatPart("", literal=form[at + 1 : end]))
            at = end + 1
        elif character == "\\" and at + 1 < len(form):
            found.append(FormatPart("", literal=form[at + 1]))
            at += 2
        else:
            if character != "%":  # % only marks a single letter as a custom format
                found.append(FormatPart("", literal=character))
            at += 1
    return found


def format_date(stamp: Stamp, form: str) -> str:
    """Format *stamp*. Only the format U converts to UTC. As in .NET, R and u label the date as UTC without converting it."""
    if form == "U":
        stamp = stamp.in_utc()
    pieces: list[str] = []
    for part in parts_of(form):
        piece = _written(part, stamp)
        if part.specifier == "F" and not piece and pieces and pieces[-1] == ".":
            pieces.pop()  # no fraction, so drop the decimal point too
        pieces.append(piece)
    return within_limit("".join(pieces))


def _written(part: FormatPart, stamp: Stamp) -> str:
    local, length = stamp.local, part.length
    match part.specifier:
        case "":
            return part.literal
        case "y":
            return f"{local.year % 100:0{length}}" if length <= 2 else f"{local.year:0{length}}"
        case "M":
            return _named(local.month, MONTHS[local.month - 1], length)
        case "d":
            return _named(local.day, DAYS[local.weekday()], length)
        case "H":
            return f"{local.hour:0{min(length, 2)}}"
        case "h":
            return f"{local.hour % 12 or 12:0{min(length, 2)}}"
        case "m":
            return f"{local.minute:0{min(length, 2)}}"
        case "s":
            return f"{local.second:0{min(length, 2)}}"
        case "f" | "F":
            digits = f"{stamp.ticks:07}"[:length]
            return digits if part.specifier == "f" else digits.rstrip("0")
        case "t":
            return ("AM" if local.hour < 12 else "PM")[: min(length, 2)]
        case "g":
            return "A.D."
        case _:
            return _zone(part.specifier, length, stamp.offset)


def _named(number: int, name: str, length: int) -> str:
    if length <= 2:
        return f"{number:0{length}}"
    return name[:3] if length == 3 else name


def _zone(specifier: str, length: int, offset: int | None) -> str:
    if specifier == "K" and not offset:
        return "" if offset is None else "Z"
    minutes = offset or 0
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    if specifier == "K" or length >= 3:
        return f"{sign}{hours:02}:{rest:02}"
    return f"{sign}{hours:0{length}}"
