"""The share of the service that the searches of one account may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """Limits on one account's searches: at most *at_once* run at the same time, and at most *waiting* more wait, each for at most
    *patience_seconds*.

    *milliseconds* is the database's time limit for one statement of a search.
    """

    at_once: int = 2
    waiting: int = 64
    patience_seconds: float = 5.0
    milliseconds: int = 2000
