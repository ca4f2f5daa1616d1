"""The charts on the overview of an application's provisioning. Each point leads to the log records or the cycle that it stands for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import quote_plus, urlencode

from lockstep.actions.activity import CHANGED, REMOVED
from lockstep.actions.throughput import MOST_CYCLES, TARGET, ChartSpan, Throughput, WaitDay
from lockstep.kit.charts import LineChart, LineSeries, Series, StackedChart, length_bars, lines, stacked
from lockstep.web.log_form import time_text
from lockstep.web.page import address

SPANS: Mapping[str, tuple[str, ChartSpan]] = {
    "": ("Last hour", ChartSpan.HOUR),
    "24h": ("Last 24 hours", ChartSpan.DAY),
}
_LOG = "/logs/provisioning"
_ACTIONS: Sequence[tuple[str, str, tuple[str, ...]]] = (
    ("Created", "accent", ("created",)),
    ("Updated", "ok", CHANGED),
    ("Disabled or deleted", "neutral", REMOVED),
    ("Failed", "error", ("failed",)),
)
_CODE_TONES = ("error", "warn", "quarantine", "info")  # the most frequent codes; all others are one series
_P50, _P95 = "p50", "p95"


@dataclass(frozen=True, slots=True)
class ProvisioningCharts:
    """All charts of one application. *per* is the length of a column: "minute" or "30 minutes"."""

    per: str
    operations: StackedChart
    queue: StackedChart
    failures: StackedChart
    responses: LineChart
    gaining: LineChart
    losing: LineChart
    cycles: LineChart


def provisioning_charts(found: Throughput, app: str) -> ProvisioningCharts:
    names = [f"{one.at.astimezone(UTC):%H:%M}" for one in found.steps]
    hrefs = _hrefs(found, app)
    return ProvisioningCharts(
        per="minute"
        if found.span.step == timedelta(minutes=1)
        else f"{found.span.step // timedelta(minutes=1)} minutes",
        operations=stacked(names, _operations(found), hrefs),
        queue=stacked(names, [Series("Waiting", "info", [one.waiting or 0 for one in found.steps])], hrefs),
        failures=stacked(names, _failures(found, app), _hrefs(found, app, status="failure")),
        responses=lines(
            names,
            [
                LineSeries(_P50, "accent", [one.responses.p50 for one in found.steps]),
                LineSeries(_P95, "warn", [one.responses.p95 for one in found.steps]),
            ],
            hrefs=hrefs,
        ),
        gaining=_waits(found.days, app, "gained"),
        losing=_waits(found.days, app, "lost"),
        cycles=_cycles(found, app),
    )


def _hrefs(found: Throughput, app: str, **more: str) -> list[str]:
    """Return one address for each column of the chart: the list of the log records from the time of that column. *more* contains further
    filters of the list.
    """
    times = [
        quote_plus(time_text(found.steps[0].at + found.span.step * place)) for place in range(found.span.steps + 1)
    ]
    lead, rest = address(_LOG, app=app), "".join(f"&{part}" for part in [urlencode(more)] if part)
    return [f"{lead}&start={start}&end={end}{rest}" for start, end in pairwise(times)]


def _between(app: str, start: datetime, end: datetime, **more: str) -> str:
    return address(_LOG, app=app, start=time_text(start), end=time_text(end), **more)


def _operations(found: Throughput) -> list[Series]:
    return [
        Series(label, tone, [sum(one.counts.get(name, 0) for name in names) for one in found.steps])
        for label, tone, names in _ACTIONS
    ]


def _failures(found: Throughput, app: str) -> list[Series]:
    """Return one series for each of the most frequent error codes, with a link to its records. One more series adds up all other codes."""
    totals: Counter[str] = Counter()
    for one in found.steps:
        totals.update(one.failures)
    frequent = [code for code, _ in totals.most_common(len(_CODE_TONES))]
    start, end = found.steps[0].at, found.steps[-1].at + found.span.step
    series = [
        Series(
            code,
            tone,
            [one.failures.get(code, 0) for one in found.steps],
            _between(app, start, end, status="failure", code=code),
        )
        for code, tone in zip(frequent, _CODE_TONES, strict=False)
    ]
    if len(totals) > len(frequent):
        rest = [sum(one.failures.values()) - sum(one.failures.get(code, 0) for code in frequent) for one in found.steps]
        series.append(Series("Other codes", "neutral", rest))
    return series


def _waits(days: Sequence[WaitDay], app: str, action: str) -> LineChart:
    percentiles = [one.gained if action == "gained" else one.lost for one in days]
    return lines(
        [f"{one.day.day} {one.day:%b}" for one in days],
        [
            LineSeries(_P50, "accent", [one.p50 for one in percentiles]),
            LineSeries(_P95, "warn", [one.p95 for one in percentiles]),
        ],
        target=TARGET.total_seconds(),
        hrefs=[_between(app, one.day, one.day + timedelta(days=1), action=action) for one in days],
    )


def _cycles(found: Throughput, app: str) -> LineChart:
    """Draw the newest cycles at the right. With few cycles, the rest of the chart is empty, so that a bar keeps its width."""
    ended = [(one, (one.ended_at or one.started_at) - one.started_at) for one in found.cycles]
    missing = MOST_CYCLES - len(ended)
    return length_bars(
        [""] * missing + [f"Cycle {one.id}" for one, _ in ended],
        LineSeries("Duration", "accent", [None] * missing + [length.total_seconds() for _, length in ended]),
        [""] * missing + [f"/apps/{app}/provisioning/cycles/{one.id}" for one, _ in ended],
    )
