"""Times and durations in JSON: times as RFC 3339 in UTC, durations as ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(at: datetime | None) -> str | None:
    """Return *at* as RFC 3339 in UTC with milliseconds; None if *at* is None."""
    return iso_time(at) if at else None


def iso_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
