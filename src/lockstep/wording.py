"""Numbers with their nouns, as every message writes them: "1 object", "2,000 objects", "1 person", "2 people"."""

from __future__ import annotations

_PLURALS = {"person": "people", "entry": "entries"}


def counted(number: int, noun: str) -> str:
    """*number* with *noun*, which is given for one: `counted(2, "bad row")` is "2 bad rows"."""
    if number == 1:
        return f"1 {noun}"
    *before, last = noun.split(" ")
    return " ".join((f"{number:,}", *before, _PLURALS.get(last, f"{last}s")))
