"""Endpoints for load balancers and supervisors: whether this process is alive, and whether it is ready to work. The responses contain
nothing about people.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

import psycopg
import psycopg_pool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route

from lockstep import __version__
from lockstep.postgres.pool import Pool
from lockstep.serving.limits import ServingLimits
from lockstep.serving.metrics import METRICS_PATH, Metrics
from lockstep.serving.server import listen, serving_http

READY_WITHIN_SECONDS = 2.0
LIMITS = ServingLimits(
    head_bytes=16_384, target_bytes=8_192, discarded_bytes=65_536, connections=200, connections_per_address=100
)
ROOT = (
    f"Lockstep {__version__}. This is a worker, which has no pages. Health: /healthz and /readyz. Figures: /metrics.\n"
)


def health_routes(pool: Pool, metrics: Metrics, is_reachable: Callable[[], bool] = lambda: True) -> list[BaseRoute]:
    """Return three routes: `/healthz` (200 as long as the process responds), `/readyz` (503 unless the database responds) and `/metrics`
    (only with the token).

    *is_reachable* returns whether the database accepts new connections. Open connections may still work after new ones are refused.
    """

    async def alive(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    async def ready(_: Request) -> PlainTextResponse:
        if not is_reachable():
            return PlainTextResponse("the database does not accept connections\n", status_code=503)
        try:
            async with asyncio.timeout(READY_WITHIN_SECONDS), pool.connection() as connection:
                await connection.execute("select 1")
        except (TimeoutError, psycopg.Error, psycopg_pool.PoolTimeout):
            return PlainTextResponse("the database does not answer\n", status_code=503)
        return PlainTextResponse("ready\n")

    return [Route("/healthz", alive), Route("/readyz", ready), Route(METRICS_PATH, metrics.page)]


def health_app(pool: Pool, metrics: Metrics, is_reachable: Callable[[], bool] = lambda: True) -> Starlette:
    """Return an application with only `health_routes`, for a process without pages."""

    async def root(_: Request) -> PlainTextResponse:
        return PlainTextResponse(ROOT)

    return Starlette(routes=[Route("/", root), *health_routes(pool, metrics, is_reachable)])


@asynccontextmanager
async def serving_health(
    pool: Pool, metrics: Metrics, *, host: str, port: int, is_reachable: Callable[[], bool] = lambda: True
) -> AsyncIterator[None]:
    """Serve on *host* and *port* for the duration of the block. Raises LockstepError if the port is taken."""
    listener = listen(host, port, next_step="Stop the other program, or choose another port: --port N")
    async with serving_http(health_app(pool, metrics, is_reachable), listener, limits=LIMITS):
        yield


def is_taken(host: str, port: int) -> bool:
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return True
    return False


def free_port(host: str, wanted: int, *, excluded: int = 0) -> int:
    """Return the first free port from *wanted* to *wanted* + 99, but never *excluded*. Returns *wanted* if none is free.

    If *wanted* is 0, return any free port.
    """
    if wanted == 0:
        with closing(socket.socket()) as trial:
            trial.bind((host, 0))
            return int(trial.getsockname()[1])
    return next((port for port in range(wanted, wanted + 100) if port != excluded and not is_taken(host, port)), wanted)
