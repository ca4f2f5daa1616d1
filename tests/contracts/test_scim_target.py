"""The SCIM target fulfils the contract over HTTP, against a real Documo. The proxy `Road` between them loses or refuses requests."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from yarl import URL

from documo.testing import Sandbox, Tenant, sandbox
from lockstep.http.client import HttpClient, Response
from lockstep.http.outbound import OutboundRules
from lockstep.ports import Target, Turns
from lockstep.targets.scim_target import ScimTarget
from lockstep.vault import Secret
from tests.contracts.target_contract import BUSY_SECONDS, Failure, TargetContract, target
from tests.support.target_servers import free_port, serving, settings_for

__all__ = ["target"]
KEPT = ("authorization", "content-type", "accept", "if-match", "prefer")
SHOWN = ("Content-Type", "ETag", "Location")


class Road:
    """A proxy that forwards requests to Documo, and remembers the operation ids of writes."""

    def __init__(self, session: aiohttp.ClientSession, to: str) -> None:
        self._session = session
        self._to = to
        self.failure: Failure | None = None
        self.left = 0
        self.operation_ids: list[str] = []

    async def pass_on(self, request: web.BaseRequest) -> web.StreamResponse:
        self.left -= 1
        failure = self.failure if self.left < 0 else None
        if failure is Failure.IS_BUSY:
            return web.Response(status=429, headers={"Retry-After": str(BUSY_SECONDS)})
        if failure is Failure.LOSES_THE_REQUEST:
            return lost(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() in KEPT}
        if failure is Failure.REFUSES_THE_CREDENTIALS:
            headers["Authorization"] = "Bearer of-somebody-else"
        elif "X-Request-Id" in request.headers:
            assert request.headers["X-Request-Id"] == request.headers["Idempotency-Key"]
            self.operation_ids += ids_of(request.headers["X-Request-Id"], await request.read())
        body = await request.read()
        url = URL(f"{self._to}{request.raw_path}", encoded=True)
        async with self._session.request(request.method, url, data=body, headers=headers) as answer:
            text = await answer.read()
            if failure is Failure.LOSES_THE_ANSWER:
                return lost(request)
            shown = {name: answer.headers[name] for name in SHOWN if name in answer.headers}
            return web.Response(status=answer.status, body=text, headers=shown)


def ids_of(request_id: str, body: bytes) -> list[str]:
    """The ids of the writes in a request. Those of a bulk request are its bulkIds, and the request has another id."""
    content = orjson.loads(body) if body else {}
    if "Operations" not in content or not request_id.startswith("bulk-"):
        return [request_id]
    return [one["bulkId"] for one in content["Operations"]]


def lost(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


class Client(HttpClient):
    """While the application cannot be reached, requests go to a port where nothing listens."""

    closed_port = 0

    async def send(self, method: str, url: str, **more: Any) -> Response:
        if self.closed_port:
            url = re.sub(r":\d+/", f":{self.closed_port}/", url, count=1)
        return await super().send(method, url, **more)


class ScimApplication:
    """One tenant of Documo, behind the road."""

    def __init__(self, road: Road, origin: str, tenant: Tenant) -> None:
        self._road, self._origin, self._tenant = road, origin, tenant
        self._port = free_port()
        self.client = Client(OutboundRules([origin, f"http://127.0.0.1:{self._port}"]))

    @property
    def operation_ids(self) -> list[str]:
        return self._road.operation_ids

    def open(self, turns: Turns | None = None) -> Target:
        settings = settings_for(self._origin, secret=Secret(self._tenant.token), page_size=2)
        return ScimTarget(settings, self.client, turns)

    def fail(self, failure: Failure | None, *, after: int = 0) -> None:
        is_away = failure is Failure.CANNOT_BE_REACHED
        self.client.closed_port = self._port if is_away else 0
        self._road.failure, self._road.left = None if is_away else failure, after


@pytest.fixture(scope="module")
def documo() -> Iterator[Sandbox]:
    with sandbox(profile="strict", tenants=100) as running:
        yield running


@pytest.fixture(scope="module")
def tenants(documo: Sandbox) -> Iterator[Tenant]:
    return iter(documo.tenants)


@pytest.fixture
async def application(documo: Sandbox, tenants: Iterator[Tenant]) -> AsyncIterator[ScimApplication]:
    async with aiohttp.ClientSession() as session:
        road = Road(session, documo.base_url.partition("/scim")[0])
        async with serving(road.pass_on) as server:
            application = ScimApplication(road, server.origin, next(tenants))
            yield application
            await application.client.close()


class TestScimTarget(TargetContract):
    pass
