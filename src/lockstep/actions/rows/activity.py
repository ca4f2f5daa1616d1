"""The figures of charts, as JSON. The names of durations end with their unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from typing_extensions import TypedDict

from lockstep.actions.activity import CHANGED, REMOVED, DayActivity
from lockstep.actions.rows.times import iso_time
from lockstep.actions.throughput import TARGET, LeaverDelays, Percentiles, Throughput, WorkStep


class PercentilesJson(TypedDict):
    """The median and the 95th percentile of durations in seconds; both are null if there are no durations. *number* counts the
    durations.
    """

    p50Seconds: float | None
    p95Seconds: float | None
    number: int


class DayActivityJson(TypedDict):
    """Numbers of accounts on one day in UTC. *changed* counts accounts that were updated, enabled or linked, *removed* accounts that were
    disabled or deleted, and *failed* the failed attempts.
    """

    day: str
    created: int
    changed: int
    removed: int
    failed: int


class WorkStepJson(TypedDict):
    """One time step of the charts, which begins at *time* (UTC). *created*, *changed*, *removed* and *failed* count operations in the same
    way as the numbers of a day.

    *failures* counts failed operations by error code. *responses* are the response times of writes. *waiting* is the highest number of
    objects in the queue, or null if no number was recorded.
    """

    time: str
    created: int
    changed: int
    removed: int
    failed: int
    failures: Mapping[str, int]
    responses: PercentilesJson
    waiting: int | None


class WaitDayJson(TypedDict):
    """Waiting times on one day in UTC, each from a change in the directory to its effect in the application. *gained* ends when the account
    was usable, and *lost* when it was disabled or deleted.
    """

    day: str
    gained: PercentilesJson
    lost: PercentilesJson


class CycleDurationJson(TypedDict):
    """A cycle that has ended, with its duration in seconds."""

    id: int
    startedDateTime: str
    durationSeconds: float


class AppActivityJson(TypedDict):
    """The figures of the charts of one application. Each of *steps* is *stepSeconds* long, and the oldest comes first.

    *waiting* is the present number of objects in the queue. *perMinute* is the number of objects processed per minute, over the last ten
    minutes. *emptyInSeconds* is the time until the queue is empty at this rate. It is null if the queue is empty or nothing is being
    processed.

    *gained* and *lost* cover the last 7 days; *waits* has one entry for each of these days. *targetSeconds* is the target for the 95th
    percentile. *cycles* are the newest finished cycles, oldest first. *days* are the last 14 days.
    """

    application: str
    span: Literal["1h", "24h"]
    stepSeconds: int
    steps: list[WorkStepJson]
    waiting: int
    perMinute: float
    emptyInSeconds: float | None
    targetSeconds: int
    gained: PercentilesJson
    lost: PercentilesJson
    waits: list[WaitDayJson]
    cycles: list[CycleDurationJson]
    days: list[DayActivityJson]


class WrittenJson(TypedDict):
    """The number of accounts written in one application on each of the days, oldest first."""

    application: str
    written: Sequence[int]


class ActivityJson(TypedDict):
    """The changes of the last 14 days in all applications, oldest first.

    *lost* has the times from a change in the directory until the account was disabled or deleted, over the last 7 days. *lostByDay* has one
    entry for each of these days, oldest first. *targetSeconds* is the target for the 95th percentile.
    """

    days: list[DayActivityJson]
    targetSeconds: int
    lost: PercentilesJson
    lostByDay: list[PercentilesJson]
    applications: list[WrittenJson]


def app_activity_json(found: Throughput, days: Sequence[DayActivity]) -> AppActivityJson:
    return {
        "application": found.app,
        "span": found.span.value,
        "stepSeconds": int(found.span.step.total_seconds()),
        "steps": [work_step_json(one) for one in found.steps],
        "waiting": found.waiting,
        "perMinute": found.per_minute,
        "emptyInSeconds": found.drained_in.total_seconds() if found.drained_in else None,
        "targetSeconds": int(TARGET.total_seconds()),
        "gained": percentiles_json(found.gained),
        "lost": percentiles_json(found.lost),
        "waits": [
            {
                "day": one.day.date().isoformat(),
                "gained": percentiles_json(one.gained),
                "lost": percentiles_json(one.lost),
            }
            for one in found.days
        ],
        "cycles": [
            {
                "id": one.id,
                "startedDateTime": iso_time(one.started_at),
                "durationSeconds": ((one.ended_at or one.started_at) - one.started_at).total_seconds(),
            }
            for one in found.cycles
        ],
        "days": [day_activity_json(one) for one in days],
    }


def activity_json(
    days: Sequence[DayActivity], written: Mapping[str, Sequence[int]], leaving: LeaverDelays
) -> ActivityJson:
    return {
        "days": [day_activity_json(one) for one in days],
        "targetSeconds": int(TARGET.total_seconds()),
        "lost": percentiles_json(leaving.whole),
        "lostByDay": [percentiles_json(one) for one in leaving.days],
        "applications": [{"application": name, "written": list(numbers)} for name, numbers in written.items()],
    }


def day_activity_json(one: DayActivity) -> DayActivityJson:
    return {
        "day": one.day.isoformat(),
        "created": one.created,
        "changed": one.changed,
        "removed": one.removed,
        "failed": one.failed,
    }


def work_step_json(one: WorkStep) -> WorkStepJson:
    return {
        "time": iso_time(one.at),
        "created": one.counts.get("created", 0),
        "changed": sum(one.counts.get(name, 0) for name in CHANGED),
        "removed": sum(one.counts.get(name, 0) for name in REMOVED),
        "failed": one.counts.get("failed", 0),
        "failures": dict(one.failures),
        "responses": percentiles_json(one.responses),
        "waiting": one.waiting,
    }


def percentiles_json(one: Percentiles) -> PercentilesJson:
    return {"p50Seconds": one.p50, "p95Seconds": one.p95, "number": one.number}
