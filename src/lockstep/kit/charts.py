"""Charts as plain SVG, drawn by the server without scripts. Each chart comes with a table of the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 100.0
_BAR = 0.62  # as a share of the column width
_STEPS = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Series:
    """One number for each column of a chart. *tone* is one of the kit's CSS classes for statuses."""

    label: str
    tone: str
    values: Sequence[int]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a column. A column is 1 unit wide, the drawing is `HEIGHT` units high, and y counts from the top."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class StackedChart:
    """Columns of stacked bars. *top* is the number at the upper edge of the chart."""

    columns: Sequence[str]
    series: Sequence[Series]
    top: int
    bars: Sequence[Bar]

    @property
    def is_empty(self) -> bool:
        return not any(one.total for one in self.series)

    @property
    def idle(self) -> Sequence[int]:
        """The columns without a bar."""
        return [column for column in range(len(self.columns)) if not any(one.values[column] for one in self.series)]

    def described(self, column: int) -> str:
        """Return the numbers of one column as text: "28 Nov: 208 created, 1 failed"."""
        held = [f"{one.values[column]:,} {one.label.lower()}" for one in self.series if one.values[column]]
        return f"{self.columns[column]}: {', '.join(held) or 'nothing'}"


def stacked(columns: Sequence[str], series: Sequence[Series]) -> StackedChart:
    """Stack *series*, the first one at the bottom. Each series has as many values as there are *columns*."""
    top = _rounded_up(max((sum(one.values[column] for one in series) for column in range(len(columns))), default=0))
    bars = []
    for column in range(len(columns)):
        below = HEIGHT
        for one in series:
            if height := one.values[column] / top * HEIGHT:
                below -= height
                bars.append(Bar(column + (1 - _BAR) / 2, round(below, 2), _BAR, round(height, 2), one.tone))
    return StackedChart(columns, series, top, bars)


def sparkline(values: Sequence[int]) -> Sequence[Bar]:
    """Return one bar for each of *values*, the highest as high as the drawing. A value of 0 has a low bar, so that its day is seen."""
    top = max(values, default=0) or 1
    return [
        Bar(place + (1 - _BAR) / 2, round(HEIGHT - height, 2), _BAR, round(height, 2), "accent" if value else "idle")
        for place, value in enumerate(values)
        for height in [max(value / top * HEIGHT, 12 if value else 6)]
    ]


def _rounded_up(highest: int) -> int:
    """Round *number* up to one of `_STEPS` times a power of ten, at least 1."""
    power = 10 ** max(len(str(highest)) - 1, 0)
    return next((step * power for step in _STEPS if step * power >= highest), 1)
