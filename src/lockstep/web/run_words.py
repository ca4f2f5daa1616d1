"""Format the changes that an import or a dry run reports: the totals of all its passes, and the names of people and groups, by heading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_COUNTS = (
    ("created", "created"), ("updated", "changed"), ("restored", "restored"), ("removed", "removed"), ("unchanged", "unchanged"),
    ("bad", "bad rows"),
)  # fmt: skip
_HEADINGS = (
    ("removed", "Leave", "-"),
    ("missing", "Held: missing", "o"),
    ("created", "Join", "+"),
    ("restored", "Return", "+"),
    ("updated", "Change", "~"),
)


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of all passes. *figures* are labels with numbers; *notes* are sentences about how the file was read."""

    figures: Sequence[tuple[str, int]]
    sentence: str
    held: Sequence[str]
    bad_rows: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    ignored: Sequence[str]


@dataclass(frozen=True, slots=True)
class NamedChanges:
    """People and groups under one heading. *total* may exceed the number of names."""

    heading: str
    sign: str
    rows: Sequence[Mapping[str, Any]]
    total: int


def totals(passes: Sequence[Mapping[str, Any]]) -> Totals:
    numbers = [(word, sum(int(one.get(name, 0)) for one in passes)) for name, word in _COUNTS]
    said = [f"{number:,} {word}" for word, number in numbers if number]
    return Totals(
        figures=[(word.capitalize(), number) for word, number in numbers],
        sentence=", ".join(said) or "nothing",
        held=[str(one[name]) for one in passes for name in ("held", "unproven", "error") if one.get(name)],
        bad_rows=[row for one in passes for row in one.get("badRows", ())],
        notes=[note for one in passes for note in one.get("notes", ())],
        ignored=[name for one in passes for name in one.get("ignored", ())],
    )


def changes_in(passes: Sequence[Mapping[str, Any]]) -> list[NamedChanges]:
    """Return the changes under their headings. Leavers come first, because they must not be overlooked."""
    found = []
    for what, heading, sign in _HEADINGS:
        rows = [change for one in passes for change in one.get("changes", ()) if change["what"] == what]
        if rows:
            counted = sum(int(one.get(what, 0)) for one in passes if one.get("kind") != "members")
            found.append(NamedChanges(heading, sign, rows, max(counted, len(rows))))
    return found
