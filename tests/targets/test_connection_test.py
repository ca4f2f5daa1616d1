"""Test Connection: every failure has its own sentence and remedy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lockstep.engine.records import ObjectKind
from lockstep.ports import Probe
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret
from tests.support.target_servers import (
    LIST_URN,
    TOKEN_FOR_SCIM2,
    Authority,
    Handler,
    allowing,
    answering,
    free_port,
    scim2_server,
    serving,
    serving_bytes,
    settings_for,
)

EMPTY = {"schemas": [LIST_URN], "totalResults": 0, "Resources": []}


async def probes_of(origin: str, *, tls: ssl.SSLContext | None = None, **more: Any) -> dict[str, Probe]:
    targets = ScimTargets(client=allowing(origin, tls=tls))
    probes: Sequence[Probe] = await targets.test_connection(settings_for(origin, **more))
    await targets.close()
    return {probe.name: probe for probe in probes}


def failed(probes: dict[str, Probe]) -> list[str]:
    return [probe.name for probe in probes.values() if probe.tried and not probe.passed]


def not_tried(probes: dict[str, Probe]) -> list[str]:
    return [probe.name for probe in probes.values() if not probe.tried]


def scim(*, config: dict[str, Any] | None = None, users: Any = EMPTY, without_token: int = 401) -> Handler:
    """A minimal SCIM service for Test Connection."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if "Authorization" not in request.headers:
            return web.Response(status=without_token)
        if request.path.endswith("/ServiceProviderConfig") and config is not None:
            return web.json_response(config)
        if request.path.endswith("/Schemas") and config is not None:
            return web.json_response({"Resources": []})
        if request.path.endswith(("/Users", "/Groups")):
            return web.json_response(users)
        return web.Response(status=404)

    return handler


async def test_good_connection_passes_every_probe_in_order() -> None:
    async with serving(scim(config={"patch": {"supported": True}})) as server:
        probes = await probes_of(server.origin)

    assert list(probes) == [
        "URL",
        "DNS",
        "TCP",
        "TLS",
        "Without token",
        "Authentication",
        "Filter",
        "Groups",
        "ServiceProviderConfig",
        "Schemas",
        "PATCH support",
        "Clock",
        "Latency",
    ]
    assert failed(probes) == not_tried(probes) == []
    assert probes["Without token"].sentence == "Requests without credentials are refused (HTTP 401)"


async def test_search_is_for_a_random_name_by_the_matching_attribute() -> None:
    async with serving(scim()) as server:
        await probes_of(server.origin, matching_attribute="externalId", kinds=(ObjectKind.USER,))
        await probes_of(server.origin, matching_attribute="externalId", kinds=(ObjectKind.USER,))

    searches = {seen.path for seen in server.requests if "filter" in seen.path}
    assert len(searches) == 4
    assert all(path.startswith("/scim/v2/Users?filter=externalId%20eq%20%22") for path in searches)


async def test_nothing_is_written() -> None:
    async with serving(scim(config={"patch": {"supported": True}})) as server:
        await probes_of(server.origin)

    assert {seen.method for seen in server.requests} == {"GET"}


async def test_application_without_groups_is_not_blamed_for_a_wrong_tenant_url() -> None:
    people = scim()

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404) if request.path.endswith("/Groups") else await people(request)

    async with serving(handler) as server:
        probes = await probes_of(server.origin)

    assert failed(probes) == ["Groups"]
    assert probes["Groups"].remedy.startswith("People were found, so the tenant URL is right.")
    assert "lockstep export documo" in probes["Groups"].remedy


async def test_application_without_discovery_and_without_groups_is_good() -> None:
    async with serving(scim()) as server:
        probes = await probes_of(server.origin, kinds=(ObjectKind.USER,))

    assert failed(probes) == []
    assert "Groups" not in probes
    assert probes["Schemas"].sentence == "/Schemas is not available (HTTP 404); Lockstep works without it"
    assert probes["PATCH support"].sentence == "Documo does not say whether it supports PATCH"


async def test_application_without_patch_is_said_to_be_sent_whole_resources() -> None:
    async with serving(scim(config={"patch": {"supported": False}})) as server:
        probes = await probes_of(server.origin)

    assert failed(probes) == []
    assert probes["PATCH support"].sentence.endswith("Lockstep replaces whole resources with PUT instead")


async def test_bad_host() -> None:
    probes = await probes_of("https://no-such-host.invalid")

    assert failed(probes) == ["DNS"]
    assert probes["DNS"].sentence == "Host name not found: no-such-host.invalid"
    assert probes["DNS"].remedy == "Check the spelling of the tenant URL"
    assert not_tried(probes)[0] == "TCP"
    assert probes["TCP"].sentence == "Skipped because DNS failed"


async def test_refused_connection() -> None:
    port = free_port()
    probes = await probes_of(f"http://127.0.0.1:{port}")

    assert failed(probes) == ["TCP"]
    assert probes["TCP"].sentence == f"Cannot connect to 127.0.0.1 on port {port}: connection refused"
    assert probes["TCP"].remedy == "Check that the application runs, and that the port in the tenant URL is right"


async def test_expired_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(scim(), tls=authority.serving(days=(-9, -1))) as server:
        probes = await probes_of(server.origin, tls=authority.trusting())

    assert failed(probes) == ["TLS"]
    assert probes["TLS"].sentence == "The TLS certificate of 127.0.0.1 has expired"
    assert probes["TLS"].remedy == "Renew the certificate on the server"
    assert server.requests == []


async def test_good_certificate_shows_its_issuer_and_days_left(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(scim(), tls=authority.serving(days=(-1, 10))) as server:
        probes = await probes_of(server.origin, tls=authority.trusting())

    assert failed(probes) == []
    assert probes["TLS"].sentence == "TLS 1.3, certificate issued by Test Authority, 9 days left"
    assert probes["TLS"].remedy.startswith("Renew the certificate of 127.0.0.1 before ")


async def test_port_without_tls() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving_bytes(talk) as origin:
        probes = await probes_of(origin.replace("http:", "https:"))

    assert failed(probes) == ["TLS"]


async def test_refused_credentials() -> None:
    async with serving(answering(401)) as server:
        probes = await probes_of(server.origin)

    assert failed(probes) == ["Authentication"]
    assert probes["Authentication"].sentence == (
        f"Documo refused the credentials (HTTP 401) at GET {server.origin}/scim/v2/Users"
    )
    assert probes["Authentication"].remedy == (
        "Create a new key in Documo, then run: lockstep creds set documo --token-stdin"
    )
    assert not_tried(probes)[0] == "Filter"


async def test_wrong_path_points_at_scim_v2() -> None:
    async with serving(answering(404)) as server:
        probes = await probes_of(server.origin, tenant_url=server.origin)

    assert failed(probes) == ["Filter"]
    assert probes["URL"].sentence == (
        "The tenant URL is well formed; it does not end with /scim/v2 (it has no path), as most applications require"
    )
    assert probes["Filter"].sentence == f"Documo found nothing at GET {server.origin}/Users (HTTP 404)"
    assert probes["Filter"].remedy == f"The tenant URL does not end with /scim/v2: try {server.origin}/scim/v2"


async def test_web_page_instead_of_scim() -> None:
    handler = answering(200, text="<html>Sign in</html>", headers={"Content-Type": "text/html"})
    async with serving(handler) as server:
        probes = await probes_of(server.origin)

    assert failed(probes) == ["Filter"]
    assert probes["Filter"].sentence == (
        f"Documo answered GET {server.origin}/scim/v2/Users with something that is not SCIM (HTTP 200, a web page)"
    )
    assert probes["Filter"].remedy == (
        "Check the tenant URL, and whether a sign-in page or a proxy is in front of Documo"
    )


async def test_application_that_ignores_the_filter_fails() -> None:
    everybody = {"totalResults": 1, "Resources": [{"id": "u1", "userName": "anna"}]}
    async with serving(scim(users=everybody)) as server:
        probes = await probes_of(server.origin, kinds=(ObjectKind.USER,))

    assert failed(probes) == ["Filter"]
    assert "it seems to ignore filters" in probes["Filter"].sentence


async def test_open_door_is_pointed_out() -> None:
    async with serving(scim(without_token=200)) as server:
        probes = await probes_of(server.origin)

    assert probes["Without token"].remedy == "Make sure that its accounts are not readable by everyone"


@pytest.mark.parametrize("ending", ["", "/", "//"])
async def test_trailing_slash_is_tolerated(ending: str) -> None:
    async with serving(scim()) as server:
        probes = await probes_of(server.origin, tenant_url=f"{server.origin}/scim/v2{ending}")

    assert failed(probes) == []
    assert probes["URL"].remedy == ""


async def test_blocked_url_fails_the_first_probe() -> None:
    probes = await probes_of("http://127.0.0.1:1", tenant_url="http://10.0.0.1/scim/v2")

    assert failed(probes) == ["URL"]
    assert probes["URL"].remedy == (
        "Use https. On a trusted network, allow it: lockstep outbound add http://10.0.0.1:80"
    )


async def test_http_beyond_this_machine_is_warned_about() -> None:
    probes = await probes_of("http://no-such-host.invalid:80", tenant_url="http://no-such-host.invalid/scim/v2")

    assert probes["URL"].passed
    assert "it uses http, so the secret token is sent unencrypted" in probes["URL"].sentence


async def test_clock_that_is_wrong_is_pointed_out() -> None:
    late = (datetime.now(UTC) - timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    async with serving(answering(200, EMPTY, headers={"Date": late})) as server:
        probes = await probes_of(server.origin)

    assert probes["Clock"].sentence == "The clocks of both machines differ by 60 minutes"


async def test_server_that_we_did_not_write_passes() -> None:
    async with scim2_server() as origin:
        probes = await probes_of(origin, tenant_url=origin, secret=Secret(TOKEN_FOR_SCIM2))

    assert failed(probes) == []
