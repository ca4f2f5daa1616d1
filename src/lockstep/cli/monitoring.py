"""The metrics page of a process: its own counters and, in the server, figures from the database."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Histogram

from lockstep.actions.context import Actor
from lockstep.actions.measures import Measures
from lockstep.serving.metrics import BUCKETS, Metrics
from lockstep.wiring import House


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """Counts and times the requests that this process sends to applications."""

    histogram: Histogram

    @classmethod
    def new(cls) -> RequestTimes:
        histogram = Histogram(
            "lockstep_application_request_seconds",
            'Requests to applications by status class; the class "none" means that there was no response',
            ["application", "status"],
            buckets=BUCKETS,
            registry=None,
        )
        return cls(histogram)

    def note(self, application: str, status: int | None, seconds: float) -> None:
        """Record one request and its duration. *status* is None if there was no complete response."""
        shown = "none" if status is None else f"{status // 100}xx"
        self.histogram.labels(application, shown).observe(seconds)


async def metrics_of(house: House, times: RequestTimes, *, whole: bool) -> Metrics:
    """Return the metrics page of the process that opened *house*. If *whole* is true, the page includes the database figures, which only
    one process exposes.
    """
    token = house.settings.metrics_token.reveal() if house.settings.metrics_token is not None else ""
    measures = Measures(house.context(Actor("system")))
    await measures.begin()
    metrics = Metrics("lockstep", token=token, pool=house.pool, measure=measures.read if whole else None)
    metrics.registry.register(times.histogram)
    return metrics
