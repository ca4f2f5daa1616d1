"""The API as an ASGI application: `/api/v1`, its OpenAPI description and documentation, and the pages of the problem types."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import HTTPException
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import BaseRoute, Mount, Route

from lockstep import __version__
from lockstep.actions.background_tasks import BackgroundTasks
from lockstep.actions.context import ContextOf
from lockstep.actions.live import LiveHub
from lockstep.api import documents, events
from lockstep.api.door import Desk, begin, failed, finished
from lockstep.api.problems import refused
from lockstep.api.rates import Rates
from lockstep.api.routes import (
    actions,
    administration,
    administrator_sessions,
    app_roles,
    applications,
    configuration,
    configuration_files,
    directory,
    group_members,
    identity_providers,
    installation,
    links,
    mail,
    object_mappings,
    operations,
    organisation,
    outbound,
    overviews,
    previews,
    provisioning,
    records,
    secrets,
    sign_ins,
    single_sign_on,
    timelines,
    uploads,
    webhook,
)
from lockstep.errors import not_found

ROOT = "/api/v1"
_ROUTERS = (
    applications.router, app_roles.router, organisation.router, outbound.router, configuration.router,
    configuration_files.router, provisioning.router, previews.router, links.router, operations.router,
    directory.router, timelines.router, records.router, uploads.router, uploads.files, administration.router,
    administration.front, actions.router, identity_providers.router, mail.router, webhook.router, secrets.router,
    single_sign_on.router, sign_ins.router, installation.router, overviews.router, object_mappings.router,
    administrator_sessions.router, group_members.router, events.router,
)  # fmt: skip


def api_app(
    contexts: ContextOf, *, hub: LiveHub | None = None, rates: Rates | None = None, tasks: BackgroundTasks | None = None
) -> FastAPI:
    """Build the application to mount at `/api/v1`.

    *contexts* returns the context of an actor. *hub* supplies the events. *rates* counts requests. *tasks* runs operations that continue
    after the response to their request.
    """
    app = FastAPI(
        title="Lockstep",
        version=__version__,
        description=documents.INTRODUCTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": ROOT}],
        separate_input_output_schemas=False,
        redirect_slashes=False,
    )
    app.state.desk = Desk(contexts)
    app.state.rates = rates or Rates()
    app.state.hub = LiveHub() if hub is None else hub  # not `or`, because an empty hub is false
    app.state.tasks = tasks or BackgroundTasks()
    for router in _ROUTERS:
        app.router.routes += (
            router.routes
        )  # `include_router` would build every route a second time, during the first request
    app.add_exception_handler(StarletteHTTPException, _no_route)
    documents.describe(app)
    return app


def api_routes(
    contexts: ContextOf, *, hub: LiveHub | None = None, rates: Rates | None = None, tasks: BackgroundTasks | None = None
) -> Sequence[BaseRoute]:
    """Return the routes to add to a server: the API, `/api/openapi.json`, `/api/docs` and `/problems/{slug}`."""
    app = api_app(contexts, hub=hub, rates=rates, tasks=tasks)
    mounted = Mount(ROOT, app)
    # A path with a line break belongs to the API too, and gets a "not found" problem.
    mounted.path_regex = re.compile(mounted.path_regex.pattern, re.DOTALL)
    return (
        mounted,
        Route("/api/openapi.json", documents.openapi_of(app)),
        Route("/api/docs", documents.page_of(app)),
        Route("/problems", documents.problem_list),
        Route("/problems/{slug}", documents.problem_page),
    )


async def _no_route(request: Request, error: Exception) -> Response:
    """Return the problem for an unknown address, or for a method that the address does not accept."""
    begin(request)
    status = error.status_code if isinstance(error, HTTPException | StarletteHTTPException) else 404
    if status == 405:
        wrong = refused("method-not-allowed", f"{request.url.path} does not support {request.method}")
        wrong.headers.update(getattr(error, "headers", None) or {})
        return finished(request, failed(request, wrong))
    unknown = not_found(f"There is no resource at {request.url.path}", next_step="See the addresses in /api/docs")
    return finished(request, failed(request, unknown))
