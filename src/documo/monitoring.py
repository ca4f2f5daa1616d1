"""Documo's metrics for Prometheus: requests by route, and totals over all accounts. No label names an account, a member or a path."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from documo.request_log import RequestLog
from documo.settings import SCIM_PATH
from documo.store import totals
from documo.store.database import Store
from lockstep.serving.bodies import App, AsgiScope, AsgiSend, Receive
from lockstep.serving.metrics import BUCKETS, Metrics

# Counting members visits every account, so they are not counted at every scrape.
MEMBERS_SECONDS = 60.0
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))
_RESOURCES = {"users": "Users", "groups": "Groups", "roles": "Roles"}
_SINGLE = {"me": "Me", "bulk": "Bulk", ".search": ".search", "serviceproviderconfig": "ServiceProviderConfig"}
_DESCRIBED = {"schemas": "Schemas", "resourcetypes": "ResourceTypes"}
_OTHERS = frozenset(("/oauth/token", "/.well-known/jwks.json", "/healthz", "/metrics"))


def route_of(path: str) -> str:
    """Return the route of *path*, such as `/scim/v2/Users/{id}`. Every unknown path is `other`, so that the number of routes is limited."""
    if path in _OTHERS:
        return path
    if path.startswith("/events/"):
        return "/events/{stream}"
    if path != SCIM_PATH and not path.startswith(SCIM_PATH + "/"):
        return "other"
    first, *rest = path[len(SCIM_PATH) :].strip("/").split("/", 2)
    name = first.lower()
    if not first:
        return SCIM_PATH
    if name in _SINGLE and not rest:
        return f"{SCIM_PATH}/{_SINGLE[name]}"
    known = _RESOURCES.get(name) or _DESCRIBED.get(name)
    if known is None or len(rest) > 1:
        return "other"
    if rest == [".search"] and name in _RESOURCES:
        return f"{SCIM_PATH}/{known}/.search"
    return f"{SCIM_PATH}/{known}/{{id}}" if rest else f"{SCIM_PATH}/{known}"


class RequestFigures:
    """Counts the requests that an application answers, and measures how long they take."""

    def __init__(self, metrics: Metrics) -> None:
        self._count = Counter(
            "documo_requests",
            "Requests by route, method and status",
            ["route", "method", "status"],
            registry=metrics.registry,
        )
        self._seconds = Histogram(
            "documo_request_seconds",
            "Seconds until the response was sent",
            ["route"],
            buckets=BUCKETS,
            registry=metrics.registry,
        )
        self._measures: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def counting(self, app: App) -> App:
        """Wrap *app* to count its requests. A request counts with status 499 if it ends before the response begins, for example because the
        client disconnects.
        """

        async def counted(scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            begun = time.perf_counter()
            status = 499

            def noting(message: Any) -> Awaitable[None]:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                return send(message)

            try:
                await app(scope, receive, noting)
            finally:
                count, seconds = self._measures_of(scope["path"], scope["method"], status)
                count.inc()
                seconds.observe(time.perf_counter() - begun)

        return counted

    def _measures_of(self, path: str, method: str, status: int) -> tuple[Counter, Histogram]:
        """Return the counter and the histogram of a request. Their number is limited, because routes, methods and statuses are few."""
        labels = route_of(path), method if method in _METHODS else "other", status
        known = self._measures.get(labels)
        if known is None:
            route, shown_method, _ = labels
            known = self._count.labels(route, shown_method, str(status)), self._seconds.labels(route)
            self._measures[labels] = known
        return known


def metrics_of(
    store: Store, request_log: RequestLog, searches: Callable[[], tuple[int, int]], *, token: str
) -> Metrics:
    """Return the metrics page of one Documo process. *searches* returns how many searches run and how many wait."""
    measured = _Members()
    return Metrics(
        "documo", token=token, pool=store.pool, measure=partial(_measure, store, request_log, searches, measured)
    )


class _Members:
    def __init__(self) -> None:
        self.total = 0
        self.counted_at = -MEMBERS_SECONDS


async def _measure(
    store: Store, request_log: RequestLog, searches: Callable[[], tuple[int, int]], members: _Members
) -> Sequence[Metric]:
    running, held_up = searches()
    async with store.control() as connection:
        accounts = await totals.accounts(connection)
        streams, failing, waiting = await totals.event_streams(connection)
    if time.monotonic() - members.counted_at >= MEMBERS_SECONDS:
        async with store.control() as connection:
            members.total = await totals.members(connection)
        members.counted_at = time.monotonic()
    return [
        GaugeMetricFamily("documo_accounts", "Accounts", value=accounts),
        GaugeMetricFamily("documo_members", "Members of all accounts together, counted once a minute", value=members.total),
        GaugeMetricFamily("documo_searches_running", "Searches running", value=running),
        GaugeMetricFamily("documo_searches_waiting", "Searches waiting to run", value=held_up),
        GaugeMetricFamily("documo_event_streams", "Event streams", value=streams),
        GaugeMetricFamily("documo_event_streams_failing", "Event streams whose last delivery failed", value=failing),
        GaugeMetricFamily("documo_events_waiting", "Events not yet delivered", value=waiting),
        CounterMetricFamily(
            "documo_request_log_lost", "Requests that got a response but are missing from the request log", value=request_log.lost
        ),
    ]  # fmt: skip
