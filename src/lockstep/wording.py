"""Wording shared by all messages and options: numbers with nouns, suggestions for misspelt words, durations, text in files."""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterable
from datetime import timedelta

# A cell that begins with one of these may be a formula for a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PLURALS = {"person": "people", "entry": "entries"}
_LIKENESS = 0.6  # from 0 to 1; suggestions below this mislead more often than they help
_MOST_COMPARED = 100  # characters; comparing takes time quadratic in the length
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH = re.compile(r"([0-9]{1,6})\s*([smhdw])")


def counted(number: int, noun: str) -> str:
    """Return *number* with *noun*, which is given in the singular: `counted(2, "bad row")` is "2 bad rows"."""
    if number == 1:
        return f"1 {noun}"
    *before, last = noun.split(" ")
    return " ".join((f"{number:,}", *before, _PLURALS.get(last, f"{last}s")))


def nearest(word: str, known: Iterable[str], *, most: int = 1) -> list[str]:
    """Return up to *most* words of *known* that resemble *word*, most similar first, ignoring letter case."""
    by_fold = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.strip()[:_MOST_COMPARED].lower(), by_fold, n=most, cutoff=_LIKENESS)
    return [by_fold[name] for name in found]


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str, most: int = 1) -> str:
    """Return `Did you mean userName?`, or *otherwise* if no word of *known* resembles *word*."""
    near = nearest(word, known, most=most)
    return f"Did you mean {' or '.join(near)}?" if near else otherwise


def read_length(text: str) -> timedelta | None:
    """Parse a duration such as `30s`, `40m`, `2h`, `7d` or `1w`; None for anything else, including a number without a unit."""
    found = _LENGTH.fullmatch(text.strip())
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def duration(length: timedelta | float) -> str:
    """Format a duration in one or two units: "412 ms", "48 s", "3 min 20 s", "2 h 5 min"."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def spreadsheet_text(value: object) -> str:
    """Return *value* as a cell of a CSV file. An apostrophe is put before text that a spreadsheet would take for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def in_markdown(text: str) -> str:
    """Return *text* on one line, escaped so that Markdown and HTML show it unchanged."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return "".join(f"\\{letter}" if letter in "\\`*_[]|~#" else letter for letter in html.escape(shown, quote=False))
