"""How answers go over the wire: each in one piece, and none is held back for ever."""

from __future__ import annotations

import asyncio

import pytest
from documo_client import Client, Documo

from documo.http_protocol import OneWrite

NAME = b'{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"wire@contoso.example"}'


def _request(api: Client, method: str, path: str, *more: str) -> bytes:
    lines = [
        f"{method} /scim/v2{path} HTTP/1.1",
        f"Host: {api.url.split('/')[2]}",
        f"Authorization: Bearer {api.token}",
    ]
    return "\r\n".join([*lines, *more, "", ""]).encode()


async def _exchange(documo: Documo, *sent: bytes) -> list[bytes]:
    """What came back after each part that was sent, as one read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", documo.running.port)
    answers = []
    try:
        for part in sent:
            writer.write(part)
            answers.append(await asyncio.wait_for(reader.read(65_536), 10))
    finally:
        writer.close()
    return answers


class _Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.written.append(b"closed")


def test_head_and_body_are_one_write() -> None:
    wire = _Wire()
    answer = OneWrite(wire)
    for part in (b"HTTP/1.1 200 OK\r\n\r\n", b"first", b"second"):
        answer.write(part)
    assert wire.written == [b"HTTP/1.1 200 OK\r\n\r\nfirst", b"second"]


def test_a_head_without_a_body_goes_out_before_the_connection_closes() -> None:
    wire = _Wire()
    answer = OneWrite(wire)
    answer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    answer.close()
    assert wire.written == [b"HTTP/1.1 200 OK\r\n\r\n", b"closed"]


@pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/Users"])
async def test_head_requests_are_answered(documo: Documo, api: Client, path: str) -> None:
    (answer,) = await _exchange(documo, _request(api, "HEAD", path))
    assert answer.startswith(b"HTTP/1.1 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_a_client_that_asks_whether_to_go_on_is_told_before_it_sends_the_body(
    documo: Documo, api: Client
) -> None:
    head = _request(
        api, "POST", "/Users", "Content-Type: application/scim+json", f"Content-Length: {len(NAME)}", "Expect: 100-continue"
    )  # fmt: skip
    told, answer = await _exchange(documo, head, NAME)
    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b"wire@contoso.example" in answer


async def test_an_answer_without_a_body_is_not_held_back(documo: Documo, api: Client) -> None:
    user = await api.user("gone@contoso.example")
    first, second = await _exchange(documo, *[_request(api, "DELETE", f"/Users/{user}")] * 2)
    assert first.startswith(b"HTTP/1.1 204 ")
    assert second.startswith(b"HTTP/1.1 404 ")
