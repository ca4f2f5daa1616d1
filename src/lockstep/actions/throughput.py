"""Figures about the speed of provisioning: operations and failures over time, the queue, response times, and how long people wait for
access or keep it for too long.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.actions.permissions import Permission
from lockstep.actions.status import Cycle
from lockstep.engine.durations import percentile
from lockstep.postgres.pool import pipeline
from lockstep.storage import activity as store
from lockstep.storage import cycles, jobs
from lockstep.storage.backlog import backlogs

KEPT = timedelta(days=14)
TARGET = timedelta(minutes=15)  # for waiting for access and for losing it, reached in most cases (p95)
WAIT_DAYS = 7
MOST_CYCLES = 20
_RATE_OVER = timedelta(minutes=10)
_DAY = timedelta(days=1)
Figures = Mapping[tuple[str, int], Mapping[str, int]]  # by part and place: the numbers by name


class ChartSpan(StrEnum):
    """A period up to now, in steps of equal length."""

    HOUR = "1h"
    DAY = "24h"

    @property
    def length(self) -> timedelta:
        return timedelta(hours=1) if self is ChartSpan.HOUR else timedelta(hours=24)

    @property
    def step(self) -> timedelta:
        return timedelta(minutes=1) if self is ChartSpan.HOUR else timedelta(minutes=30)

    @property
    def steps(self) -> int:
        return self.length // self.step

    def start(self, now: datetime) -> datetime:
        """Return the start of the first step. The last step contains *now*."""
        seconds = self.step.total_seconds()
        last = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
        return last + self.step - self.length


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The median and the 95th percentile of durations, in seconds; both are None if there are no durations. *number* counts
    the durations.
    """

    p50: float | None
    p95: float | None
    number: int

    @classmethod
    def of(cls, counts: Mapping[int, int]) -> Percentiles:
        return cls(percentile(counts, 0.5), percentile(counts, 0.95), sum(counts.values()))


@dataclass(frozen=True, slots=True)
class WorkStep:
    """One time step. *counts* has the keys of a cycle's counts; *failures* counts error codes; *waiting* is the highest length of the
    queue, or None if no length was recorded.
    """

    at: datetime
    counts: Mapping[str, int]
    failures: Mapping[str, int]
    responses: Percentiles
    waiting: int | None


@dataclass(frozen=True, slots=True)
class WaitDay:
    """One day in UTC: how long people waited to gain access, and how long they kept access that should have ended."""

    day: datetime
    gained: Percentiles
    lost: Percentiles


@dataclass(frozen=True, slots=True)
class Throughput:
    """The figures of one application. *waiting* is the present length of the queue. *per_minute* is the average number of objects that were
    processed per minute in the last ten minutes. *cycles* contains the newest finished cycles, oldest first. *gained* and *lost* are the
    percentiles, over the last week, of the time until people gained and lost access.
    """

    app: str
    span: ChartSpan
    steps: Sequence[WorkStep]
    waiting: int
    per_minute: float
    days: Sequence[WaitDay]
    gained: Percentiles
    lost: Percentiles
    cycles: Sequence[Cycle]

    @property
    def drained_in(self) -> timedelta | None:
        """The time until the queue is empty at the present rate; None if it is empty or nothing is being processed."""
        return timedelta(minutes=self.waiting / self.per_minute) if self.waiting and self.per_minute else None


@dataclass(frozen=True, slots=True)
class LeaverDelays:
    """The time for which people kept access that should have ended. *days* has the percentiles for each day of the last week, and *whole*
    has the percentiles for the whole week.
    """

    days: Sequence[Percentiles]
    whole: Percentiles


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_throughput(context: Context, app: str, *, span: ChartSpan = ChartSpan.HOUR) -> Throughput:
    now = context.now()
    since = span.start(now)
    days_since = _first_day(now)
    async with context.reading() as connection:
        row = await job_row(connection, app)
        async with pipeline(connection):
            figures, noted, waits, newest = await asyncio.gather(
                store.figures_of(
                    connection,
                    row.id,
                    since=since,
                    step=span.step,
                    recent_since=now - _RATE_OVER,
                    days_since=days_since,
                ),
                store.queue_by_time(connection, row.id, since=since),
                backlogs(connection, [row.id]),
                cycles.latest_cycles(connection, row.id, limit=MOST_CYCLES + 1),
            )
    waiting = waits[row.id].waiting
    gained, lost = (_by_day(figures, part) for part in ("gained", "lost"))
    return Throughput(
        app=row.app_name,
        span=span,
        steps=_steps(span, since, figures, _queue(span, since, noted, waiting)),
        waiting=waiting,
        per_minute=_objects(figures.get(("recent", 0), {})) / (_RATE_OVER / timedelta(minutes=1)),
        days=[
            WaitDay(days_since + _DAY * day, Percentiles.of(gained[day]), Percentiles.of(lost[day]))
            for day in range(WAIT_DAYS)
        ],
        gained=_whole(gained),
        lost=_whole(lost),
        cycles=[one for one in reversed(newest) if one.ended_at is not None and one.kind != "onDemand"][-MOST_CYCLES:],
    )


@needs(Permission.APPLICATIONS_READ, filters=True)
async def show_leaving(context: Context) -> LeaverDelays:
    """Return how long people kept access that should have ended, in all applications that the caller may read."""
    since = _first_day(context.now())
    async with context.reading() as connection:
        visible = [
            row.id
            for row in await jobs.read_jobs(connection)
            if context.actor.may(Permission.APPLICATIONS_READ, row.app)
        ]
        found = await store.losses_by_day(connection, visible, since=since)
    lengths: list[Counter[int]] = [Counter() for _ in range(WAIT_DAYS)]
    for day, length, number in found:
        lengths[day][int(length)] += number
    return LeaverDelays([Percentiles.of(one) for one in lengths], _whole(lengths))


def _objects(counts: Mapping[str, int]) -> int:
    return sum(number for name, number in counts.items() if name not in store.OF_MEMBERSHIPS)


def _first_day(now: datetime) -> datetime:
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - _DAY * (WAIT_DAYS - 1)


def _by_day(figures: Figures, part: str) -> list[Counter[int]]:
    """Return, for each day, how often each waiting time occurred. *part* is the kind of wait."""
    days = [figures.get((part, day), {}) for day in range(WAIT_DAYS)]
    return [Counter({int(length): number for length, number in one.items()}) for one in days]


def _whole(days: Sequence[Counter[int]]) -> Percentiles:
    return Percentiles.of(sum(days, Counter()))


def _steps(span: ChartSpan, since: datetime, figures: Figures, queue: Sequence[int | None]) -> list[WorkStep]:
    return [
        WorkStep(
            since + span.step * step,
            figures.get(("counts", step), {}),
            figures.get(("failures", step), {}),
            Percentiles.of({int(length): number for length, number in figures.get(("responses", step), {}).items()}),
            queue[step],
        )
        for step in range(span.steps)
    ]


def _queue(span: ChartSpan, since: datetime, noted: Sequence[tuple[datetime, int]], waiting: int) -> list[int | None]:
    """Return the greatest length of the queue in each time step, or None for steps before the first record. A length is recorded only when
    it changes, so it applies until the next record. The last step also includes the present length.
    """
    known: int | None = None
    highest: list[int | None] = []
    rest = list(noted)
    for step in range(span.steps):
        end = since + span.step * (step + 1)
        within = [] if known is None else [known]
        while rest and rest[0][0] < end:
            at, known = rest.pop(0)
            within = [*within, known] if at >= since + span.step * step else [known]
        highest.append(max(within) if within else None)
    highest[-1] = max(highest[-1] or 0, waiting)
    return highest
