"""How requests are authenticated: Basic, and the tokens of OAuth 2.0 client credentials, against a real Documo and a scripted server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from documo.access import api_keys
from documo.store.database import open_store
from lockstep.configuration.authentication import Authentication, AuthenticationMethod
from lockstep.engine.records import ObjectKind
from lockstep.ports import Verdict
from lockstep.postgres.database import Database
from lockstep.targets.probing.connection import test_connection as probe_connection
from lockstep.targets.scim_target import ScimTarget
from lockstep.vault import Secret
from tests.support.documo_client import documo_on
from tests.support.target_servers import LIST_URN, Server, allowing, serving, settings_for

SECRET = "s3cret/of the+client=é"
USER = ObjectKind.USER


def by_client(origin: str, **more: str) -> Authentication:
    return Authentication(AuthenticationMethod.CLIENT_CREDENTIALS, "client-1", f"{origin}/token", **more)


class Scripted:
    """A SCIM server that takes only its newest token. *takes*: the form in which its token endpoint takes the secret."""

    def __init__(self, *, takes: str = "header", seconds: Any = 3600, echoes: bool = False) -> None:
        self.takes, self.seconds, self.echoes = takes, seconds, echoes
        self.granted = 0
        self.is_refusing: int = 0
        self.refuses_all = False

    @property
    def token(self) -> str:
        return f"granted-token-number-{self.granted}"

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return await self._token(request)
        if self.refuses_all or request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"detail": f"wrong {request.headers.get('Authorization')}"}, status=401)
        if self.echoes:
            return web.json_response(
                {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": f"seen {self.token}"}, status=400
            )
        return web.json_response({"schemas": [LIST_URN], "totalResults": 0, "Resources": []})

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        is_header = request.headers.get("Authorization", "").startswith("Basic ")
        if self.is_refusing:
            return web.json_response({"error": "invalid_client", "error_description": SECRET}, status=self.is_refusing)
        if is_header != (self.takes == "header") or form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "invalid_client"}, status=401)
        self.granted += 1
        return web.json_response({"access_token": self.token, "token_type": "Bearer", "expires_in": self.seconds})


@asynccontextmanager
async def scripted(application: Scripted) -> AsyncIterator[tuple[ScimTarget, Server]]:
    async with serving(application) as server:
        client = allowing(server.origin)
        settings = settings_for(
            server.origin, secret=Secret(SECRET), authentication=by_client(server.origin, scope="scim")
        )
        yield ScimTarget(settings, client), server
        await client.close()


async def test_a_token_of_documo_is_fetched_kept_and_renewed_once_it_ended(documo_database: Database) -> None:
    async with open_store(documo_database) as store, documo_on(store) as documo:
        api = await documo.client()
        (key,) = await api_keys.list_keys(store, api.account.id)
        method = Authentication(
            AuthenticationMethod.CLIENT_CREDENTIALS, key.id, f"{documo.running.api_url}/oauth/token"
        )
        http = allowing(documo.running.api_url)
        settings = settings_for("", tenant_url=api.url, secret=Secret(api.token), authentication=method)
        target = ScimTarget(settings, http)

        first = await target.create(USER, {"userName": "anna"}, operation_id="1")
        granted = target._sender._authorizer.token
        await target.find(USER, "userName", "anna")
        kept = target._sender._authorizer.token
        async with store.control() as connection:
            await connection.execute("update api_keys set expires_at = now() - interval '1 hour' where kind = 'token'")
        async with asyncio.timeout(20):
            while target._sender._authorizer.token == kept:  # Documo notices within a moment
                answer = await target.create(USER, {"userName": "bo"}, operation_id="2")
        probes = await probe_connection(settings, http)
        await http.close()

    assert first.is_done and granted == kept and granted is not None
    assert answer.is_done or answer.verdict is Verdict.CONFLICT
    assert all(one.passed for one in probes if one.tried)


async def test_many_requests_at_once_fetch_one_token_and_renew_it_once() -> None:
    application = Scripted()
    async with scripted(application) as (target, _):
        await asyncio.gather(*(target.find(USER, "userName", f"x{n}") for n in range(8)))
        first = application.granted
        application.granted += 1  # the server forgets the token
        await asyncio.gather(*(target.find(USER, "userName", f"y{n}") for n in range(8)))

    assert (first, application.granted) == (1, 3)


async def test_a_new_token_that_is_refused_is_not_renewed_again_and_again() -> None:
    application = Scripted()
    application.refuses_all = True
    async with scripted(application) as (target, _):
        answers = [await target.create(USER, {"userName": "x"}, operation_id="1") for _ in range(3)]

    assert [one.verdict for one in answers] == [Verdict.UNAUTHORIZED] * 3
    assert application.granted == 1


async def test_a_token_is_fetched_again_before_it_expires() -> None:
    application = Scripted(seconds=0.0001)
    async with scripted(application) as (target, _):
        await target.find(USER, "userName", "x")
        await target.find(USER, "userName", "x")

    assert application.granted == 2


async def test_the_secret_is_sent_in_the_form_that_the_server_takes() -> None:
    application = Scripted(takes="body")
    async with scripted(application) as (target, server):
        await target.find(USER, "userName", "x")
        application.granted += 1
        await target.find(USER, "userName", "x")

    asked = [one for one in server.requests if one.path == "/token"]
    assert [("authorization" in one.headers) for one in asked] == [True, False, False]
    assert b"scope=scim" in asked[0].body


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (401, Verdict.UNAUTHORIZED),
        (400, Verdict.UNAUTHORIZED),
        (429, Verdict.UNREACHABLE),
        (503, Verdict.UNREACHABLE),
    ],
)
async def test_without_a_token_nothing_is_sent_and_the_reason_holds_no_secret(status: int, verdict: Verdict) -> None:
    application = Scripted()
    application.is_refusing = status
    async with scripted(application) as (target, server):
        answer = await target.create(USER, {"userName": "x"}, operation_id="1")
        probes = await probe_connection(target.settings, target._sender._client)

    assert answer.verdict is verdict and "invalid_client" in answer.detail
    assert SECRET not in f"{answer} {probes}"
    assert [one.path for one in server.requests if one.method == "POST"] == ["/token"] * len(
        [one for one in server.requests if one.method == "POST"]
    )
    assert next(one for one in probes if one.tried and not one.passed).name == "Authentication"


async def test_a_server_that_gives_no_token_is_not_reached_and_no_write_is_in_doubt() -> None:
    async def broken(_: web.Request) -> web.StreamResponse:
        return web.Response(status=502, text="<html>")

    async with serving(broken) as server:
        client = allowing(server.origin)
        settings = settings_for(server.origin, secret=Secret(SECRET), authentication=by_client(server.origin))
        answer = await ScimTarget(settings, client).create(USER, {"userName": "x"}, operation_id="1")
        gone = settings_for(server.origin, secret=Secret(SECRET), authentication=by_client("http://127.0.0.1:9"))
        blocked = await ScimTarget(gone, client).create(USER, {"userName": "x"}, operation_id="1")
        await client.close()

    assert (answer.verdict, blocked.verdict) == (Verdict.UNREACHABLE, Verdict.UNREACHABLE)
    assert [one.path for one in server.requests] == ["/token"]


async def test_an_access_token_that_comes_back_is_hidden() -> None:
    application = Scripted(echoes=True)
    async with scripted(application) as (target, _):
        answer = await target.create(USER, {"userName": "x"}, operation_id="1")

    shown = "".join(f"{one.request_body}{one.response_body}{one.url}" for one in answer.exchanges)
    assert "seen" in answer.detail and application.token not in answer.detail + shown


async def test_basic_sends_user_name_and_password() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"schemas": [LIST_URN], "totalResults": 0, "Resources": []})

    async with serving(handler) as server:
        client = allowing(server.origin)
        method = Authentication(AuthenticationMethod.BASIC, "provisioning")
        await ScimTarget(settings_for(server.origin, secret=Secret(SECRET), authentication=method), client).find(
            USER, "userName", "x"
        )
        await client.close()

    sent = server.requests[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == f"provisioning:{SECRET}"
