"""A clock for actions that a test can set: `replace(hub.context, now=clock)`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NEW_YEAR = datetime(2027, 1, 1, 9, tzinfo=UTC)


class SetClock:
    def __init__(self) -> None:
        self.at = NEW_YEAR

    def __call__(self) -> datetime:
        return self.at

    def go(self, **length: float) -> None:
        """Let time pass."""
        self.at += timedelta(**length)
