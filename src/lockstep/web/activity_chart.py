"""The chart of activity for each day."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.actions.activity import DayActivity
from lockstep.kit.charts import Series, StackedChart, stacked


def activity_chart(days: Sequence[DayActivity]) -> StackedChart:
    """Return a chart with one column for each day. Failures are on top, where they are visible."""
    return stacked(
        [f"{one.day.day} {one.day:%b}" for one in days],
        [
            Series("Created", "accent", [one.created for one in days]),
            Series("Updated", "ok", [one.changed for one in days]),
            Series("Disabled or deleted", "neutral", [one.removed for one in days]),
            Series("Failed", "error", [one.failed for one in days]),
        ],
    )
