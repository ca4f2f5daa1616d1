"""When the daily digest of notifications is due. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_HOUR = 7
DIGEST_TIME = f"{_HOUR:02}:00 UTC"


def latest_digest_time(now: datetime) -> datetime:
    """Return the latest time, up to and including *now*, at which digests were due. Times are aware UTC."""
    today = now.astimezone(UTC).replace(hour=_HOUR, minute=0, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)
