"""A finding about a configuration: its place, its severity and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. *severity* is error (does not work), warning (works, but probably not as intended) or kept (stored, but not used)."""

    severity: str
    place: str
    message: str
    next_step: str = ""
