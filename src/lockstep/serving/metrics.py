"""Metrics for Prometheus in its text format: one page per process, shown only with the token.

Without a configured token, the page does not exist. The client's address is not sufficient, because all clients behind a local proxy have
the same address. Labels contain applications, routes and results, never a person's name or text sent by a client.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

import psycopg
import psycopg_pool
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from lockstep import __version__
from lockstep.errors import LockstepError
from lockstep.postgres.pool import Pool

METRICS_PATH = "/metrics"
MEASURE_SECONDS = 5.0
FRESH_SECONDS = 1.0
# From a quick response on the same network to the longest time that any client waits.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Measure = Callable[[], Awaitable[Sequence[Metric]]]


class Metrics:
    """The metrics page of one process. Register the process's own counters with *registry*.

    *measure* queries the database, at most once in `FRESH_SECONDS`. If the query fails, all other metrics are shown and
    `<product>_database_up` is 0.
    """

    def __init__(self, product: str, *, token: str, pool: Pool | None = None, measure: Measure | None = None) -> None:
        self.registry = CollectorRegistry()
        self._product = product
        self._token = token.encode()
        self._pool = pool
        self._measure = measure
        self._measured: list[Metric] = []
        self._measured_at = -FRESH_SECONDS
        self._turn = asyncio.Lock()
        ProcessCollector(registry=self.registry)
        self.registry.register(_Families(self._families))

    async def page(self, request: Request) -> Response:
        """Return the response to GET /metrics."""
        if not self._token:
            return PlainTextResponse(
                f"Metrics need a token: set {self._product.upper()}_METRICS_TOKEN\n", status_code=404
            )
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
            return PlainTextResponse(
                "Send the token for metrics: Authorization: Bearer TOKEN\n",
                status_code=401,
                headers={"www-authenticate": f'Bearer realm="{self._product} metrics"'},
            )
        await self._look()
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self.registry), headers={"content-type": media_type, "cache-control": "no-store"})

    async def _look(self) -> None:
        """Measure, unless the last measurement is recent. Several scrapers therefore cause no more load than one scraper."""
        if self._measure is None:
            return
        async with self._turn:
            if time.monotonic() - self._measured_at < FRESH_SECONDS:
                return
            up = GaugeMetricFamily(f"{self._product}_database_up", "Whether the database answered this scrape", value=1)
            try:
                async with asyncio.timeout(MEASURE_SECONDS):
                    self._measured = [up, *await self._measure()]
            except (TimeoutError, psycopg.Error, psycopg_pool.PoolTimeout, OSError, LockstepError):
                up.samples.clear()
                up.add_metric([], 0)
                self._measured = [up]
            self._measured_at = time.monotonic()

    def _families(self) -> Iterable[Metric]:
        yield InfoMetricFamily(f"{self._product}_build", "The running version", value={"version": __version__})
        if self._pool is not None:
            yield from _pool_families(self._product, self._pool)
        yield from self._measured


class _Families(Collector):
    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families()

    def describe(self) -> Iterable[Metric]:
        """Return no descriptions: the metrics are unknown before the first scrape. Clashes of names are therefore not detected."""
        return ()


def _pool_families(product: str, pool: Pool) -> Iterable[Metric]:
    """Return figures on the use of this process's database connections."""
    stats = pool.get_stats()
    size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
    connections = GaugeMetricFamily(
        f"{product}_database_connections", "Database connections of this process", labels=["state"]
    )
    connections.add_metric(["idle"], idle)
    connections.add_metric(["in_use"], max(0, size - idle))
    yield connections
    yield GaugeMetricFamily(
        f"{product}_database_connections_max",
        "Maximum number of database connections of this process",
        value=pool.max_size,
    )
    yield GaugeMetricFamily(
        f"{product}_database_waiting",
        "Tasks waiting for a database connection",
        value=stats.get("requests_waiting", 0),
    )
    yield CounterMetricFamily(
        f"{product}_database_connections_failed",
        "Failed attempts to connect to the database",
        value=stats.get("connections_errors", 0),
    )
