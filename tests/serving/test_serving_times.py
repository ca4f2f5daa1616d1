"""Deadlines for slow or silent clients, room for all others, and the shutdown of the server."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import closing

import pytest

from lockstep.serving.bodies import AsgiScope, AsgiSend, Receive
from lockstep.serving.limits import LEAST_CONNECTIONS, RESERVED_FILES, ServingLimits
from lockstep.serving.server import listen
from tests.serving.serving_support import PATIENCE, Echo, Served, get, post, server, statuses
from tests.support.waiting import until

QUICK = 0.05


@pytest.mark.parametrize("sent", [b"", b"\r\n", get(last=False) + b"\r\n"])
async def test_a_connection_on_which_no_request_begins_is_closed(sent: bytes) -> None:
    async with server(Echo(), head_seconds=QUICK, idle_seconds=QUICK) as served:
        answer = await served.exchange(sent)
    assert statuses(answer) == ([200] if b"GET" in sent else [])


async def test_half_a_head_is_answered_with_408() -> None:
    async with server(Echo(), head_seconds=QUICK) as served:
        assert statuses(await served.exchange(b"GET / HTTP/1.1\r\nHost:")) == [408]
        assert statuses(await served.exchange(get(last=False) + b"GET / HT")) == [200, 408]


@pytest.mark.parametrize("line", ["Content-Length: 100", "Transfer-Encoding: chunked"])
async def test_half_a_body_is_answered_with_408(line: str) -> None:
    async with server(Echo(), body_seconds=QUICK) as served:
        assert statuses(await served.exchange(post("/", line), b"4\r\nhalf\r\n")) == [408]


async def test_half_a_body_that_nobody_wants_holds_no_connection() -> None:
    async with server(Echo(), body_seconds=QUICK) as served, served.connection() as (reader, writer):
        writer.write(post("/unread", "Content-Length: 100"))
        assert (await asyncio.wait_for(reader.readline(), PATIENCE)).split()[1] == b"200"
        await until(lambda: len(served.registry) == 0)


async def test_a_request_that_the_server_is_slow_with_is_not_late() -> None:
    app = Echo()
    app.gate.clear()
    async with server(app, head_seconds=QUICK, body_seconds=QUICK, answer_seconds=QUICK) as served:
        async with served.connection() as (reader, writer):
            # The second waits behind the first, its body unread.
            body = b"x" * 300_000
            writer.write(get("/first", last=False) + post("/", f"Content-Length: {len(body)}", body=body))
            await asyncio.wait_for(app.arrived.wait(), PATIENCE)
            await asyncio.sleep(4 * QUICK)
            app.gate.set()
            for _ in range(2):
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
                assert b" 200 " in head
                size = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                await asyncio.wait_for(reader.readexactly(size), PATIENCE)


async def test_a_client_that_does_not_read_its_answer_loses_the_connection() -> None:
    app = Echo(answer=b"x" * 30_000_000)
    async with server(app, answer_seconds=QUICK) as served, served.connection() as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(get(last=False))
        await until(lambda: app.asked and len(served.registry) == 0)


async def test_one_address_does_not_take_all_connections() -> None:
    async with server(Echo(), connections_per_address=3) as served:
        held = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(3)]
        await until(lambda: len(served.registry) == 3)
        assert statuses(await served.exchange(b"")) == [503]
        held.pop()[1].close()
        await until(lambda: len(served.registry) == 2)
        assert statuses(await served.exchange(get())) == [200]
        for _, writer in held:
            writer.close()


async def test_the_limit_of_one_address_does_not_hold_for_a_trusted_proxy() -> None:
    async with server(Echo(), connections_per_address=1, trusted_proxies=("127.0.0.0/8",)) as served:
        async with served.connection(), served.connection():
            assert statuses(await served.exchange(get())) == [200]


async def test_a_full_server_lets_a_silent_connection_go_for_one_that_asks() -> None:
    app = Echo()
    async with server(app, connections=LEAST_CONNECTIONS) as served:
        silent = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(3 * LEAST_CONNECTIONS)]
        for _ in range(3):
            assert statuses(await served.exchange(get())) == [200]
        assert len(served.registry) <= LEAST_CONNECTIONS
        for _, writer in silent:
            writer.close()


async def test_requests_under_way_are_never_sent_away_for_others() -> None:
    app = Echo()
    app.gate.clear()
    async with server(app, connections=LEAST_CONNECTIONS) as served:
        answers = [asyncio.create_task(served.exchange(get(f"/{n}"))) for n in range(LEAST_CONNECTIONS)]
        await until(lambda: len(app.asked) == LEAST_CONNECTIONS)
        assert statuses(await served.exchange(get())) == [503]
        app.gate.set()
        assert [statuses(answer) for answer in await asyncio.gather(*answers)] == [[200]] * LEAST_CONNECTIONS


def test_fewer_connections_are_served_where_few_files_may_be_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        assert ServingLimits().most_connections == 256 - RESERVED_FILES
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_server_that_stops_answers_what_is_complete_and_sends_away_what_is_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    app = Echo()
    app.gate.clear()
    async with server(app, stop_seconds=0.6) as served:
        complete = asyncio.create_task(served.exchange(get("/complete")))
        half = asyncio.create_task(served.exchange(post("/half", "Content-Length: 100"), b"half"))
        await until(lambda: app.asked and len(served.registry) == 2)
        asyncio.get_running_loop().call_later(0.1, app.gate.set)
    assert statuses(await complete) == [200]
    assert statuses(await half) == [408]
    assert "Traceback" not in capfd.readouterr().err


async def test_a_request_that_takes_longer_than_the_server_waits_is_told_so(capfd: pytest.CaptureFixture[str]) -> None:
    app = Echo()
    app.gate.clear()
    async with server(app, stop_seconds=0.1) as served:
        slow = asyncio.create_task(served.exchange(get("/slow")))
        await until(lambda: app.asked)
    assert statuses(await slow) == [503]
    assert "Traceback" not in capfd.readouterr().err


async def test_an_answer_that_has_begun_is_never_mixed_with_a_refusal() -> None:
    async def begun(scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"half ", "more_body": True})
        await receive()
        await receive()

    async with server(begun, body_seconds=QUICK) as served:
        assert await _read_all(served, post("/", "Content-Length: 100", body=b"x")) == [200]


async def _read_all(served: Served, sent: bytes) -> list[int]:
    async with served.connection() as (reader, writer):
        writer.write(sent)
        found = b""
        try:
            while part := await asyncio.wait_for(reader.read(65_536), PATIENCE):
                found += part
        except ConnectionResetError:
            pass
        return statuses(found)


async def test_a_response_in_several_parts_is_not_delayed() -> None:
    """asyncio sets TCP_NODELAY on connections of a listener only if its protocol is named."""
    with closing(listen("127.0.0.1", 0, next_step="")) as listener:
        assert listener.proto == socket.IPPROTO_TCP
