"""Documo's HTTP: bounded bodies, refusals as SCIM errors, responses without delay."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from documo.settings import limits_from
from documo.store.database import Store
from lockstep.errors import LockstepError
from lockstep.serving.limits import ServingLimits
from tests.support.documo_client import Client, Documo, documo_on

NAME = b'{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"wire@contoso.example"}'
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
PATIENCE = 10.0


def _request(api: Client, method: str, path: str, *more: str) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {api.url.split('/')[2]}",
        f"Authorization: Bearer {api.token}",
    ]
    return "\r\n".join([*lines, *more, "", ""]).encode()


async def _exchange(documo: Documo, *sent: bytes) -> list[bytes]:
    """The bytes available immediately after sending each part."""
    reader, writer = await asyncio.open_connection("127.0.0.1", documo.running.port)
    answers = []
    try:
        for part in sent:
            writer.write(part)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            size = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            answers.append(head + (await reader.readexactly(int(size)) if size and b"HEAD" not in part[:4] else b""))
    finally:
        writer.close()
    return answers


async def _send(documo: Documo, request: bytes, endless: bytes = b"") -> tuple[int, bytes]:
    """Status and body of the response to *request*, after which *endless* is sent repeatedly."""
    reader, writer = await asyncio.open_connection("127.0.0.1", documo.running.port)
    answer = asyncio.create_task(_exactly_one(reader))
    writer.write(request)
    with suppress(ConnectionError):
        while endless and not answer.done():
            writer.write(endless)
            await writer.drain()
            await asyncio.sleep(0)
    try:
        return await asyncio.wait_for(answer, PATIENCE)
    finally:
        writer.close()


async def _exactly_one(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(size)


@pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/Users"])
async def test_head_requests_are_answered(documo: Documo, api: Client, path: str) -> None:
    (answer,) = await _exchange(documo, _request(api, "HEAD", f"/scim/v2{path}"))
    assert answer.startswith(b"HTTP/1.1 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_a_client_that_asks_whether_to_go_on_is_told_before_it_sends_the_body(
    documo: Documo, api: Client
) -> None:
    head = _request(
        api, "POST", "/scim/v2/Users", "Content-Type: application/scim+json", f"Content-Length: {len(NAME)}",
        "Expect: 100-continue",
    )  # fmt: skip
    told, answer = await _exchange(documo, head, NAME)
    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b"wire@contoso.example" in answer


async def test_an_answer_without_a_body_is_not_held_back(documo: Documo, api: Client) -> None:
    user = await api.user("gone@contoso.example")
    first, second = await _exchange(documo, *[_request(api, "DELETE", f"/scim/v2/Users/{user}")] * 2)
    assert first.startswith(b"HTTP/1.1 204 ")
    assert second.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "path", ["/oauth/token", "/events/0190a0b0-0000-7000-8000-000000000000", "/scim/v2/Users", "/scim/v2/Bulk"]
)
@pytest.mark.parametrize("coding", ["Transfer-Encoding: chunked", "Content-Length: 60000000"])
async def test_a_body_is_refused_while_it_is_still_sent(documo: Documo, api: Client, path: str, coding: str) -> None:
    part = b"x" * 100_000
    chunk = b"%x\r\n%b\r\n" % (len(part), part) if "chunked" in coding else part
    status, body = await _send(documo, _request(api, "POST", path, coding), chunk)
    assert status == 413
    assert orjson.loads(body) == {"error": "invalid_request"} or orjson.loads(body)["schemas"] == [ERROR]


@pytest.mark.parametrize("path", ["/healthz", "/.well-known/jwks.json", "/scim/v2/Users", "/nothing"])
async def test_nobody_reads_a_body_from_a_client_without_a_key(store: Store, path: str) -> None:
    async with documo_on(store, limits=ServingLimits(discarded_bytes=500_000)) as documo:
        request = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{documo.running.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        status, _ = await _send(documo, request.encode(), b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
        assert status in (401, 404, 405)


@pytest.mark.parametrize(
    ("target", "more", "status"),
    [
        ("/scim/v2/Users?filter=" + "x" * 60_000, (), 414),
        ("/scim/v2/Users", ["X-Long: " + "x" * 70_000], 431),
        ("/scim/v2/Users", [f"X-{n}: 1" for n in range(100)], 431),
        ("/scim/v2/Users", ["Host: other.example"], 400),
        ("/scim/v2/Users", ["Transfer-Encoding: gzip, chunked"], 501),
        ("/events/x", ["Bad Header: x"], 400),
    ],
)
async def test_what_the_connection_refuses_is_a_scim_error(
    documo: Documo, api: Client, target: str, more: list[str], status: int
) -> None:
    given, body = await _send(documo, _request(api, "POST", target, *more))
    assert given == status
    assert orjson.loads(body)["schemas"] == [ERROR]
    assert orjson.loads(body)["status"] == str(status)
    assert orjson.loads(body)["detail"]


async def test_the_request_log_shows_who_asked_behind_a_trusted_proxy(store: Store) -> None:
    async with documo_on(store, limits=ServingLimits(trusted_proxies=("127.0.0.1",))) as documo:
        api = await documo.client()
        await api.send("GET", "/Users", headers={"X-Forwarded-For": "203.0.113.77"})
    async with store.tenant(api.account.id) as connection:
        found = await connection.execute("select address from request_log")
        assert [row[0] for row in await found.fetchall()] == ["203.0.113.77"]


def test_limits_come_from_the_environment() -> None:
    limits = limits_from(
        {
            "DOCUMO_MAX_CONNECTIONS": "50",
            "DOCUMO_MAX_CONNECTIONS_PER_ADDRESS": "5",
            "DOCUMO_TRUSTED_PROXIES": "192.0.2.1, 10.0.0.0/8",
        }
    )
    assert (limits.connections, limits.connections_per_address) == (50, 5)
    assert limits.trusted_proxies == ("192.0.2.1", "10.0.0.0/8")
    assert limits_from({}) == ServingLimits()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DOCUMO_MAX_CONNECTIONS", "0"),
        ("DOCUMO_MAX_CONNECTIONS", "many"),
        ("DOCUMO_MAX_CONNECTIONS_PER_ADDRESS", "-1"),
        ("DOCUMO_TRUSTED_PROXIES", "proxy.example"),
        ("DOCUMO_TRUSTED_PROXIES", "*"),
    ],
)
def test_a_limit_that_is_none_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(LockstepError, match=variable):
        limits_from({variable: value})


async def test_a_service_that_stops_says_nothing_but_scim_to_half_a_request() -> None:
    command = [str(Path(sys.executable).with_name("documo")), "sandbox"]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stderr is not None
        told = orjson.loads(await process.stdout.readline())
        host = told["base_url"].split("/")[2]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(host.rpartition(":")[2]))
        head = f"POST /scim/v2/Users HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {told['token']}\r\n"
        writer.write(f"{head}Expect: 100-continue\r\nContent-Length: 100\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"  # the server waits for the body
        process.send_signal(signal.SIGTERM)
        status, body = await asyncio.wait_for(_exactly_one(reader), PATIENCE)
        assert (status, orjson.loads(body)["schemas"]) == (408, [ERROR])
        writer.close()
        assert b"Traceback" not in await process.stderr.read()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("path", ["/oauth/token/", "/events/x/", "/healthz/"])
async def test_a_path_that_nobody_serves_sends_nobody_to_the_host_of_the_request(documo: Documo, path: str) -> None:
    (answer,) = await _exchange(documo, f"POST {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"evil.example" not in answer
