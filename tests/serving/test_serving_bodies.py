"""Bodies: memory use stays within the limit, and nothing is lost that arrived before invalid data."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest

from lockstep.serving.bodies import AsgiScope, AsgiSend, BodyTooLarge, Receive, read_body
from tests.serving.serving_support import Echo, get, post, server, statuses


async def refusing(scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
    """Answers 413 to a body of more than 10,000 bytes."""
    status = 200
    try:
        await read_body(receive, scope["headers"], 10_000)
    except BodyTooLarge:
        status = 413
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"


async def test_memory_stays_flat_while_a_client_streams_far_beyond_the_limit() -> None:
    async with server(refusing, discarded_bytes=40_000_000) as served, served.connection() as (reader, writer):
        tracemalloc.start()
        try:
            writer.write(post("/", "Transfer-Encoding: chunked"))
            for _ in range(400):  # 26 MB
                writer.write(CHUNK)
                await writer.drain()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (await asyncio.wait_for(reader.readline(), 10)).split()[1] == b"413"
        writer.write(b"0\r\n\r\n" + get())
        assert statuses(await asyncio.wait_for(reader.read(), 10)) == [200]
    assert peak < 4_000_000


async def test_a_body_that_never_ends_is_cut_off() -> None:
    async with server(refusing, discarded_bytes=1_000_000) as served, served.connection() as (reader, writer):
        writer.write(post("/", "Transfer-Encoding: chunked"))
        assert (await _stream_until_cut(reader, writer)).split()[1] == b"413"


async def _stream_until_cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(CHUNK)
    first = await asyncio.wait_for(reader.readline(), 10)
    with pytest.raises(OSError):
        for _ in range(1_000):
            writer.write(CHUNK)
            await writer.drain()
            if reader.at_eof():
                raise ConnectionResetError
    return first


@pytest.mark.parametrize("declared", [10_001, 10**30])
async def test_a_body_that_is_declared_too_large_is_refused_unread(declared: int) -> None:
    async with server(refusing) as served, served.connection() as (reader, writer):
        writer.write(post("/", f"Content-Length: {declared}" if declared < 2**60 else f"Content-Length: {2**60}"))
        assert (await asyncio.wait_for(reader.readline(), 10)).split()[1] == b"413"


async def test_a_client_that_closes_after_its_answer_gets_to_read_why_its_body_is_refused() -> None:
    async with server(refusing) as served:
        body = b"x" * 3_000_000
        answer = await served.exchange(post("/", "Connection: close", f"Content-Length: {len(body)}", body=body))
    assert statuses(answer) == [413]


async def test_padding_between_chunks_is_refused() -> None:
    app = Echo()
    async with server(app, head_bytes=8_000) as served:
        answer = await served.exchange(post("/", "Transfer-Encoding: chunked"), b"1;" + b"x" * 600_000)
    assert statuses(answer) == [400]


async def test_garbage_behind_a_request_is_answered_after_the_request() -> None:
    app = Echo()
    async with server(app) as served:
        answer = await served.exchange(post("/", "Content-Length: 2", body=b"ok") + b"\x00garbage\r\n\r\n")
    assert statuses(answer) == [200, 400]


async def test_a_request_that_breaks_off_in_garbage_is_refused_after_those_before_it() -> None:
    app = Echo()
    app.gate.clear()
    broken = post("/broken", "Transfer-Encoding: chunked", body=b"nonsense\r\n")
    async with server(app) as served, served.connection() as (reader, writer):
        writer.write(get("/first", last=False) + get("/second", last=False) + broken)
        await asyncio.wait_for(app.arrived.wait(), 10)
        app.gate.set()
        assert statuses(await asyncio.wait_for(reader.read(), 10)) == [200, 200, 400]
    assert [asked["path"] for asked in app.asked] == ["/first", "/second"]


async def test_requests_far_ahead_of_their_answers_are_refused() -> None:
    app = Echo()
    async with server(app, ahead=4) as served:
        answer = await served.exchange(get(last=False) * 50)
    assert statuses(answer) == [200] * 5 + [400]
