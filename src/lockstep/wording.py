"""Words that every message and every option share: numbers with their nouns, what was probably meant, lengths of time."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import timedelta

_PLURALS = {"person": "people", "entry": "entries"}
_LIKENESS = 0.6  # of 1: below it, a suggestion misleads more often than it helps
_MOST_COMPARED = 100  # characters of a word: comparing takes time with the square of the length
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH = re.compile(r"([0-9]{1,6})\s*([smhdw])")


def counted(number: int, noun: str) -> str:
    """*number* with *noun*, which is given for one: `counted(2, "bad row")` is "2 bad rows"."""
    if number == 1:
        return f"1 {noun}"
    *before, last = noun.split(" ")
    return " ".join((f"{number:,}", *before, _PLURALS.get(last, f"{last}s")))


def nearest(word: str, known: Iterable[str], *, most: int = 1) -> list[str]:
    """Up to *most* of *known* that are like *word*, the likest first; upper and lower case are the same."""
    by_fold = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.strip()[:_MOST_COMPARED].lower(), by_fold, n=most, cutoff=_LIKENESS)
    return [by_fold[name] for name in found]


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str, most: int = 1) -> str:
    """`Did you mean userName?`, or *otherwise* where none of *known* is like *word*."""
    near = nearest(word, known, most=most)
    return f"Did you mean {' or '.join(near)}?" if near else otherwise


def read_length(text: str) -> timedelta | None:
    """The length of time that `30s`, `40m`, `2h`, `7d` or `1w` says; None for anything else. 30 alone could be seconds or days."""
    found = _LENGTH.fullmatch(text.strip())
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
