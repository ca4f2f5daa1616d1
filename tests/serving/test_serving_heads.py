"""Limits on the head of a request: sizes, numbers, and forms that two servers could read differently (RFC 9112)."""

from __future__ import annotations

import json

import pytest

from tests.serving.serving_support import Echo, get, post, server, statuses


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/" + "x" * 3_000), 414),
        (b"GET /" + b"x" * 20_000, 414),
        (get("/", "X: " + "x" * 9_000), 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"x" * 20_000, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000, 431),
        (b"\r\n" * 10_000, 431),
        (get("/", *[f"X-{n}: 1" for n in range(30)]), 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (get("/", "Host: y"), 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET /\r\nHost: x\r\n\r\n", 505),
        (b"GET / HTTP/1.7\r\nHost: x\r\n\r\n", 400),
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (post("/", "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
        (post("/", "Transfer-Encoding: identity", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 501),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (post("/", "Content-Length: 1", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    ],
)
async def test_a_head_that_is_too_large_or_ambiguous_is_refused_and_ends_the_connection(
    request_bytes: bytes, status: int
) -> None:
    app = Echo()
    async with server(app, head_bytes=8_000, target_bytes=2_000, head_fields=20) as served:
        answer = await served.exchange(request_bytes)
        assert statuses(answer) == [status]
        assert b"connection: close" in answer
        assert not app.asked


async def test_a_head_within_the_limits_is_served_however_it_is_cut() -> None:
    request = get("/" + "x" * 1_900, *[f"X-{n}: {'y' * 300}" for n in range(17)])
    app = Echo()
    async with server(app, head_bytes=8_000, target_bytes=2_000, head_fields=20) as served:
        for size in (1, 7, 8_000):
            parts = [request[at : at + size] for at in range(0, len(request), size)]
            assert statuses(await served.exchange(*parts)) == [200]
    assert len(app.asked) == 3


async def test_an_offer_of_another_protocol_is_ignored_and_the_body_that_came_with_it_kept() -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    chunked = post("/b", *offer, "Transfer-Encoding: chunked", body=b"5\r\nworld\r\n0\r\n\r\n")
    app = Echo()
    async with server(app) as served:
        sent = post("/a", *offer, "Content-Length: 5", body=b"hello") + get("/", *offer, last=False) + chunked
        answer = await served.exchange(sent[:180], sent[180:], get("/last"))
    assert statuses(answer) == [200] * 4
    assert [(asked["path"], asked["body"]) for asked in app.asked] == [
        ("/a", "hello"), ("/", ""), ("/b", "world"), ("/last", ""),
    ]  # fmt: skip


async def test_a_trailer_is_no_header_field() -> None:
    body = b"1\r\na\r\n0\r\nAuthorization: Bearer stolen\r\n\r\n"
    app = Echo()
    async with server(app) as served:
        await served.exchange(post("/", "Transfer-Encoding: chunked", body=body) + get())
    assert "authorization" not in json.dumps(app.asked[0]["headers"])


async def test_who_asks_behind_a_trusted_proxy_is_who_the_proxy_says() -> None:
    app = Echo()
    forwarded = get("/", "X-Forwarded-For: 203.0.113.9, 192.0.2.7")
    async with server(app, trusted_proxies=("127.0.0.1", "192.0.2.0/24")) as served:
        await served.exchange(forwarded)
    async with server(app) as served:
        await served.exchange(forwarded)
    assert [asked["client"] for asked in app.asked] == ["203.0.113.9", "127.0.0.1"]
