"""Serve the admin centre, the API, health checks and metrics on one port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from lockstep.actions.background_tasks import background_tasks
from lockstep.actions.live import live_hub
from lockstep.api.late import late_api
from lockstep.cli.monitoring import RequestTimes, metrics_of
from lockstep.portal.app import portal_routes
from lockstep.serving.health import health_routes
from lockstep.serving.limits import ServingLimits
from lockstep.serving.server import listen, serving_http
from lockstep.web.app import admin_app, built_assets
from lockstep.web.rendering import Site
from lockstep.wiring import House

# A browser opens six connections at once, and each open page keeps one for live updates.
LIMITS = ServingLimits(
    head_bytes=32_768, target_bytes=16_384, discarded_bytes=8 * 1024 * 1024, body_seconds=300.0, connections=1_000
)


@asynccontextmanager
async def serving_admin_centre(
    house: House, times: RequestTimes, *, host: str, port: int, environment: str = ""
) -> AsyncIterator[None]:
    """Serve on *host* and *port* during the block. *environment* is the text of the badge. Raises LockstepError."""
    listener = listen(host, port, next_step="Stop the other program, or choose another port: --port N")
    metrics = await metrics_of(house, times, whole=True)
    health = health_routes(house.pool, metrics, house.server.is_reachable)
    async with live_hub(house.pool) as hub, background_tasks() as tasks:
        assets = built_assets()
        others = [*health, late_api(house.context, hub=hub, tasks=tasks), *portal_routes(house.context, assets)]
        site = Site(environment=environment, has_api=True)
        app = admin_app(house.context, site=site, hub=hub, others=others, assets=assets)
        limits = replace(LIMITS, trusted_proxies=house.settings.trusted_proxies)
        async with serving_http(app, listener, limits=limits):
            try:
                yield
            finally:
                hub.end()  # open streams would delay the end
