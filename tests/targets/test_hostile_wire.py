"""Applications that drop connections, send slowly, lie, and page without end."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import socket
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockstep.engine.records import ObjectKind
from lockstep.http.client import LARGEST_BODY
from lockstep.ports import Answer, TargetError, Verdict
from lockstep.targets.scim_target import ScimTarget
from tests.support.target_servers import (
    Authority,
    allowing,
    answering,
    free_port,
    serving,
    serving_bytes,
    settings_for,
    target_at,
)

USER = ObjectKind.USER


async def create(target: ScimTarget) -> Answer:
    return await target.create(USER, {"userName": "anna"}, operation_id="op")


async def read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    await reader.readexactly(length)


def after_request(*pieces: bytes, reset: bool = False, stay: bool = False) -> Callable[..., Any]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if stay:
            await reader.read()
        if reset:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()

    return talk


OK = b"HTTP/1.1 201 Created\r\nContent-Type: application/scim+json\r\n"


@pytest.mark.parametrize(
    "talk",
    [
        after_request(),
        after_request(reset=True),
        after_request(OK + b'Content-Length: 100\r\n\r\n{"id": "u1"'),
        after_request(OK + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n'),
        after_request(OK + b'Content-Length: 14\r\n\r\n{"id": "u1"' + b"   "),
        after_request(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        after_request(OK + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"),
    ],
    ids=["closed", "reset", "short", "half a chunk", "half a JSON", "not HTTP", "not gzip"],
)
async def test_write_that_was_sent_and_not_answered_is_ambiguous(talk: Callable[..., Any]) -> None:
    async with serving_bytes(talk) as origin, target_at(origin) as target:
        answer = await create(target)

    assert answer.verdict is Verdict.AMBIGUOUS, answer.detail
    assert len(answer.exchanges) == 1


async def test_read_that_was_not_answered_is_an_error_and_not_an_empty_answer() -> None:
    async with serving_bytes(after_request()) as origin, target_at(origin) as target:
        with pytest.raises(TargetError) as caught:
            await target.find(USER, "userName", "anna")

    assert caught.value.answer.verdict is Verdict.AMBIGUOUS
    assert "may or may not" not in caught.value.answer.detail


@pytest.mark.parametrize(
    "talk",
    [
        after_request(stay=True),
        after_request(OK + b"Content-Length: 5000\r\n\r\n{", stay=True),
    ],
    ids=["silence", "drip"],
)
async def test_slow_application_is_left_at_the_deadline(talk: Callable[..., Any]) -> None:
    async with serving_bytes(talk) as origin, target_at(origin, deadline_seconds=0.4) as target:
        answer = await create(target)

    assert (answer.verdict, answer.code) == (Verdict.AMBIGUOUS, "Timeout")


async def test_refused_connection_was_surely_not_sent() -> None:
    async with target_at(f"http://127.0.0.1:{free_port()}") as target:
        answer = await create(target)

    assert (answer.verdict, answer.exchanges) == (Verdict.UNREACHABLE, ())
    assert "Cannot connect to 127.0.0.1 on port" in answer.detail


async def test_unknown_host_was_surely_not_sent() -> None:
    async with target_at("https://no-such-host.invalid") as target:
        answer = await create(target)

    assert answer.verdict is Verdict.UNREACHABLE
    assert answer.detail == "Documo cannot be reached: Host name not found: no-such-host.invalid"


async def test_untrusted_certificate_is_refused_before_the_token_is_sent(tmp_path: Path) -> None:
    async with serving(answering(201, {"id": "u1"}), tls=Authority(tmp_path).serving()) as server:
        async with target_at(server.origin) as target:
            answer = await create(target)

    assert answer.verdict is Verdict.UNREACHABLE
    assert "authority that this machine does not trust" in answer.detail
    assert server.requests == []


async def test_certificate_is_checked_by_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(answering(201, {"id": "u1"}), tls=authority.serving(name="other.example.com")) as server:
        client = allowing(server.origin, tls=authority.trusting())
        answer = await create(ScimTarget(settings_for(server.origin), client))
        await client.close()

    assert answer.verdict is Verdict.UNREACHABLE
    assert "The TLS certificate is not for 127.0.0.1" in answer.detail


async def test_old_tls_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    old = authority.serving()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(answering(201, {"id": "u1"}), tls=old) as server:
        client = allowing(server.origin, tls=authority.trusting())
        answer = await create(ScimTarget(settings_for(server.origin), client))
        await client.close()

    assert answer.verdict is Verdict.UNREACHABLE
    assert server.requests == []


async def test_blocked_address_says_so() -> None:
    async with target_at("http://127.0.0.1:1", tenant_url="https://10.0.0.1/scim/v2") as target:
        answer = await create(target)

    assert (answer.verdict, answer.code) == (Verdict.BLOCKED, "InvalidDomain")
    assert "10.0.0.1, which is a private address" in answer.detail


async def test_endless_answer_is_not_taken_in() -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(OK + b"\r\n{")
        with contextlib.suppress(OSError):
            while sent < 20 * LARGEST_BODY:
                writer.write(b" " * 65536)
                await writer.drain()
                sent += 65536

    async with serving_bytes(talk) as origin, target_at(origin, deadline_seconds=20.0) as target:
        answer = await create(target)

    assert answer.verdict is Verdict.AMBIGUOUS
    assert "larger than 10 MB" in answer.detail
    assert sent < 3 * LARGEST_BODY


async def test_small_answer_that_grows_when_it_is_unpacked_is_not_taken_in() -> None:
    bomb = gzip.compress(b" " * (20 * LARGEST_BODY))
    headers = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with serving_bytes(after_request(OK + headers + bomb, stay=True)) as origin:
        async with target_at(origin, deadline_seconds=20.0) as target:
            before = _memory()
            answer = await create(target)
            grown = _memory() - before

    assert answer.verdict is Verdict.AMBIGUOUS
    assert "larger than 10 MB" in answer.detail
    assert grown < 3 * LARGEST_BODY


def _memory() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
