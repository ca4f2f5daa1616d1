"""What is noticed about a configuration: where, how bad, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """*severity*: error (does not work), warning (works, but probably not as meant), kept (kept, but not used here)."""

    severity: str
    place: str
    message: str
    next_step: str = ""
