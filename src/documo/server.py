"""Run Documo: the database, the caches, the HTTP server, and a clean stop.

The ready line is printed only after the service has begun to answer requests.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from documo.access.ended_keys import EndedKeys
from documo.access.sign_ins import RefusedSignIns
from documo.access.sso.refreshing import MetadataReader
from documo.domain_tls import look_for
from documo.events.delivery import EventDelivery
from documo.events.poll import poll_endpoint
from documo.events.streams import EventKeys, event_keys
from documo.monitoring import RequestFigures, metrics_of
from documo.oauth import token_endpoint
from documo.request_log import RequestLog
from documo.scim_service.app import ScimApp
from documo.scim_service.request.exchange import MEDIA_TYPE
from documo.scim_service.request.hosts import Hosts
from documo.scim_service.search.gate import SearchGate
from documo.scim_service.tenant.service import Service
from documo.scim_service.tenant.tenants import Tenants
from documo.settings import OUTBOUND_ADVICE, SCIM_PATH, DocumoSettings
from documo.store import secrets as secrets_table
from documo.store.addresses import save_address
from documo.store.database import Store
from documo.web.app import pages_app
from documo.web.frame import Extension
from documo.web.live import LiveRequests
from lockstep.http.outbound import OutboundRules
from lockstep.process.garbage_collection import keep_returning_free_pages
from lockstep.scim.errors import ScimError
from lockstep.serving.bodies import App, AsgiScope, AsgiSend, Receive
from lockstep.serving.metrics import METRICS_PATH
from lockstep.serving.refusals import Refusal
from lockstep.serving.server import listen, plain_text, serving_http

PARENT_SECONDS = 0.5
FOR_PROGRAMS = ("/oauth/", "/events/", "/.well-known/", "/healthz", METRICS_PATH)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers requests."""

    api_url: str
    port: int
    searches: SearchGate = field(repr=False)

    @property
    def scim_url(self) -> str:
        return self.api_url + SCIM_PATH


def make_app(
    store: Store,
    tenants: Tenants,
    service: Service,
    request_log: RequestLog,
    settings: DocumoSettings,
    port: int,
    keys: EventKeys,
    metadata: MetadataReader,
    live: LiveRequests,
    outbound: OutboundRules,
    extension: Extension | None,
) -> App:
    """Return the whole ASGI application with its metrics. It contains the SCIM service (called directly, for speed), the other endpoints
    for programs, and the pages.
    """
    public_url = settings.public_url or f"http://{settings.host}:{port}"
    refused = RefusedSignIns(EndedKeys(store, request_log))
    scim = ScimApp(service, tenants, Hosts(public_url, f"{settings.host}:{port}", tenants), request_log, refused)
    metrics = metrics_of(store, request_log, service.searches.load, token=settings.metrics_token)
    others = Starlette(
        routes=[
            Route("/oauth/token", token_endpoint(store, tenants, refused), methods=["POST"]),
            Route("/events/{stream}", poll_endpoint(store, tenants, keys, public_url, refused), methods=["POST"]),
            Route("/.well-known/jwks.json", _answering(lambda: keys.signer.jwks)),
            Route("/healthz", _healthy),
            Route(METRICS_PATH, metrics.page),
        ]
    )
    others.router.redirect_slashes = False  # a redirect would repeat the Host of the request
    people = pages_app(
        store,
        api_url=public_url,
        metadata=metadata,
        live=live,
        name_server=settings.name_server or None,
        look=look_for(public_url, outbound),
        extension=extension,
    )

    async def app(scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        path: str = scope.get("path", "")
        if scope["type"] == "http" and (path.startswith(SCIM_PATH + "/") or path == SCIM_PATH):
            await scim(scope, receive, send)
        elif scope["type"] != "http" or path.startswith(FOR_PROGRAMS):
            await others(scope, receive, send)
        else:
            await people(scope, receive, send)

    return RequestFigures(metrics).counting(app)


@asynccontextmanager
async def serving(
    store: Store,
    settings: DocumoSettings,
    *,
    wrap: Callable[[App], App] = lambda app: app,
    extension: Extension | None = None,
) -> AsyncIterator[RunningServer]:
    """Serve during the block. *wrap* wraps the ASGI application, and *extension* adds pages to Documo's own.

    Raises LockstepError if the port is taken.
    """
    listener = listen(
        settings.host,
        settings.port,
        next_step="Stop the other program, or choose another port with --port PORT",
    )
    port = int(listener.getsockname()[1])
    async with store.control() as connection:
        cursor_key = await secrets_table.secret(connection, "cursor", 32)
    tenants = Tenants(store, rate_override=settings.rate_override)
    request_log = RequestLog(store)
    service = Service(store, cursor_key, tenants.forget, search_limits=settings.search_limits)
    keys = await event_keys(store)
    outbound = OutboundRules(settings.outbound_allow, advice=OUTBOUND_ADVICE)
    metadata = MetadataReader(store, outbound)
    live = LiveRequests(store)
    app = make_app(store, tenants, service, request_log, settings, port, keys, metadata, live, outbound, extension)
    issuer = settings.public_url or f"http://{settings.host}:{port}"
    async with store.control() as connection:
        await save_address(connection, issuer)
    delivery = EventDelivery(store, tenants, keys, outbound, issuer)
    background = (
        tenants.listen(), request_log.run(), service.statistics.run(), delivery.run(), metadata.run(), live.run(),
        keep_returning_free_pages(),
    )  # fmt: skip
    tasks = [asyncio.create_task(work) for work in background]
    try:
        async with serving_http(wrap(app), listener, limits=settings.limits, render=refusal_answer):
            try:
                yield RunningServer(issuer, port, service.searches)
            finally:
                live.close()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def refusal_answer(refusal: Refusal) -> tuple[bytes, bytes]:
    """Return the media type and the body of the response to a request that is refused before it reaches the application. On SCIM and event
    paths, the body is a SCIM error.
    """
    if refusal.path.startswith((SCIM_PATH, "/events/")):
        return MEDIA_TYPE, orjson.dumps(ScimError(refusal.status, "", refusal.detail).error_body())
    return plain_text(refusal)


async def until_stopped() -> None:
    """Wait for SIGTERM or Ctrl-C; a second signal has its default effect."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        await stopped.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(ValueError):
                loop.remove_signal_handler(number)


async def until_orphaned(parent: int) -> None:
    """Wait until the process *parent*, which started this one, has ended."""
    while os.getppid() == parent:  # noqa: ASYNC110 -- a process is not notified when its parent ends
        await asyncio.sleep(PARENT_SECONDS)


def _answering(body: Callable[[], object]) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def answer(_: Request) -> JSONResponse:
        return JSONResponse(body())

    return answer


async def _healthy(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})
