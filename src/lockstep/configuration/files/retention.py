"""The retention time of each kind of record. It is part of the organisation's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class RetentionLimit:
    """The retention of one kind of record. *days* is the default; 0 keeps records forever. *least* is the shortest period that can be
    set.
    """

    key: str
    what: str
    days: int
    least: int
    why: str


LIMITS = (
    RetentionLimit("provisioningLog", "Provisioning logs", 30, 1,
                   "Writes to applications and their reasons, with the HTTP exchange."),
    RetentionLimit("signInLog", "Sign-in logs", 30, 1, "Who signed in to which application, and why sign-ins were refused."),
    RetentionLimit("cycles", "Cycles", 365, 30, "When each cycle ran, and how many accounts it changed."),
    RetentionLimit("directoryChanges", "Changes of people and groups", 0, 30,
                   "The timeline of a person or group. It shows only the history that is kept."),
)  # fmt: skip


def days_of(settings: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of days for each kind: the number in *settings* or, if there is none, the default."""
    given = settings.get("retention") or {}
    return {one.key: int(given.get(one.key, one.days)) for one in LIMITS}


def wrong_days(limit: RetentionLimit, days: int) -> str:
    """Return why *days* is not a valid value, or "" if it is valid."""
    if days == 0 or limit.least <= days <= MOST_DAYS:
        return ""
    return f"{limit.least} to {MOST_DAYS} days are possible, or 0 to keep them forever"
