"""Charts as plain SVG, drawn by the server without scripts. Each chart comes with a table of the same numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.wording import duration

HEIGHT = 100.0
_BAR = 0.62  # as a share of the column width
_STEPS = (1, 2, 3, 4, 5, 6, 8, 10)
_LENGTHS = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1_200,
    1_800,
    3_600,
    7_200,
    14_400,
    28_800,
    57_600,
)


@dataclass(frozen=True, slots=True)
class Series:
    """One number for each column of a chart. *tone* is one of the kit's CSS classes for statuses. *href* is the page that lists the counted
    objects.
    """

    label: str
    tone: str
    values: Sequence[int]
    href: str = ""

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
    """Columns of stacked bars. *top* is the number at the upper edge of the chart. *hrefs* has the address of each column, or is empty."""

    columns: Sequence[str]
    series: Sequence[Series]
    top: int
    bars: Sequence[Bar]
    hrefs: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        return not any(one.total for one in self.series)

    @property
    def idle(self) -> Sequence[int]:
        """The positions of the columns in which every value is 0."""
        return [column for column in range(len(self.columns)) if not any(one.values[column] for one in self.series)]

    @property
    def texts(self) -> Sequence[str]:
        """The numbers of each column as text."""
        return [self.described(column) for column in range(len(self.columns))]

    def described(self, column: int) -> str:
        """Return the numbers of one column as text: "28 Nov: 208 created, 1 failed"."""
        held = [f"{one.values[column]:,} {one.label.lower()}" for one in self.series if one.values[column]]
        return f"{self.columns[column]}: {', '.join(held) or 'nothing'}"


@dataclass(frozen=True, slots=True)
class LineSeries:
    """One line of a chart, with a value in seconds or None for each column."""

    label: str
    tone: str
    values: Sequence[float | None]

    @property
    def last(self) -> float | None:
        """The newest value that is known."""
        return next((one for one in reversed(self.values) if one is not None), None)


@dataclass(frozen=True, slots=True)
class LineChart:
    """Durations in seconds over columns, as lines or as bars. *paths* has the outline of each line as SVG path data. *target_y* is the y
    coordinate of the target line, or None if there is none. *texts* describes each column.
    """

    columns: Sequence[str]
    series: Sequence[LineSeries]
    top: float
    texts: Sequence[str] = ()
    paths: Sequence[str] = ()
    bars: Sequence[Bar] = ()
    target: float | None = None
    target_y: float | None = None
    hrefs: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        return all(value is None for one in self.series for value in one.values)

    @property
    def known(self) -> Sequence[int]:
        """The columns with a value."""
        return [
            place for place in range(len(self.columns)) if any(one.values[place] is not None for one in self.series)
        ]


def lines(
    columns: Sequence[str], series: Sequence[LineSeries], *, target: float | None = None, hrefs: Sequence[str] = ()
) -> LineChart:
    """Draw one line for each of *series*. A line is level across the width of each column, and interrupted at columns without a value."""
    known = [value for one in series for value in one.values if value is not None]
    top = _rounded_length(max([*known, target or 0.0], default=0.0))
    return LineChart(
        columns,
        series,
        top,
        _texts(columns, series),
        paths=[_path(one.values, top) for one in series],
        target=target,
        target_y=None if target is None else _y(target, top),
        hrefs=hrefs,
    )


def length_bars(columns: Sequence[str], series: LineSeries, hrefs: Sequence[str] = ()) -> LineChart:
    """Draw the durations of *series* as one bar for each column."""
    top = _rounded_length(max((value for value in series.values if value is not None), default=0.0))
    bars = [
        Bar(place + (1 - _BAR) / 2, min(_y(value, top), HEIGHT - 2), _BAR, max(HEIGHT - _y(value, top), 2), series.tone)
        for place, value in enumerate(series.values)
        if value is not None
    ]
    return LineChart(columns, [series], top, _texts(columns, [series]), bars=bars, hrefs=hrefs)


def _texts(columns: Sequence[str], series: Sequence[LineSeries]) -> list[str]:
    return [
        f"{name}: {', '.join(f'{one.label} {_length_text(one.values[place])}' for one in series)}"
        for place, name in enumerate(columns)
    ]


def _length_text(value: float | None) -> str:
    return "none" if value is None else duration(value)


def _path(values: Sequence[float | None], top: float) -> str:
    drawn = []
    before: float | None = None
    for place, value in enumerate(values):
        if value is not None:
            drawn.append(f"{'M' if before is None else 'L'}{place} {_y(value, top)}H{place + 1}")
        before = value
    return "".join(drawn)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - value / top * HEIGHT, 2)


def stacked(columns: Sequence[str], series: Sequence[Series], hrefs: Sequence[str] = ()) -> StackedChart:
    """Stack *series*, the first one at the bottom. Each series has as many values as there are *columns*."""
    top = _rounded_up(max((sum(one.values[column] for one in series) for column in range(len(columns))), default=0))
    bars = []
    for column in range(len(columns)):
        below = HEIGHT
        for one in series:
            if height := one.values[column] / top * HEIGHT:
                below -= height
                bars.append(Bar(column + (1 - _BAR) / 2, round(below, 2), _BAR, round(height, 2), one.tone))
    return StackedChart(columns, series, top, bars, hrefs)


def sparkline(values: Sequence[int]) -> Sequence[Bar]:
    """Return one bar for each of *values*. The highest bar is as high as the drawing. A value of 0 has a low bar, so that its day remains
    visible.
    """
    top = max(values, default=0) or 1
    return [
        Bar(place + (1 - _BAR) / 2, round(HEIGHT - height, 2), _BAR, round(height, 2), "accent" if value else "idle")
        for place, value in enumerate(values)
        for height in [max(value / top * HEIGHT, 12 if value else 6)]
    ]


def _rounded_up(highest: int) -> int:
    """Round *highest* up to one of `_STEPS` times a power of ten. The result is at least 1."""
    power = 10 ** max(len(str(highest)) - 1, 0)
    return next((step * power for step in _STEPS if step * power >= highest), 1)


def _rounded_length(seconds: float) -> float:
    """Round a duration up to one of `_LENGTHS`, or to whole days."""
    return next((length for length in _LENGTHS if length >= seconds), math.ceil(seconds / 86_400) * 86_400.0)
