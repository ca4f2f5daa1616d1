"""How much of the service the searches of one account may have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """*at_once* searches of one account run, *waiting* more wait, none for longer than *patience_seconds*.

    *milliseconds* is what the database may take for a statement of one.
    """

    at_once: int = 2
    waiting: int = 64
    patience_seconds: float = 5.0
    milliseconds: int = 2000
