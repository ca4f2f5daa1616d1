"""Query DNS for TXT records with one question over UDP, so that no resolver library is needed.

The records are only compared with a proof. A response with another id or question is ignored. A name server that reports an error
counts as one that does not answer; only a response without records, or "no such name", means that there are none.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from contextlib import suppress
from functools import partial
from pathlib import Path

from lockstep.errors import invalid, unreachable

TXT, INTERNET = 16, 1
NO_ERROR, NO_SUCH_NAME = 0, 3
TIMEOUT_SECONDS, TRIES = 2.0, 3


async def txt_records(name: str, *, name_server: str | None = None) -> list[str]:
    """The TXT records of *name*; empty when there are none. Raises LockstepError when no name server answers."""
    server = name_server or _system_name_server()
    address, _, port = server.partition("#")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise invalid(
            f"{server[:80]!r} is not the address of a name server", next_step="Write it as 192.0.2.1 or 192.0.2.1#5353"
        )
    for _ in range(TRIES):
        with suppress(TimeoutError, OSError):
            answer = await _ask(_question(secrets.randbelow(65536), name), address, int(port or 53))
            if answer[3] & 0x0F in (NO_ERROR, NO_SUCH_NAME):
                return _read_answer(answer)
    raise unreachable(f"The name server {server} did not answer", next_step="Try another one: --name-server ADDRESS")


async def _ask(question: bytes, address: str, port: int) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(partial(_Question, question), remote_addr=(address, port))
    try:
        transport.sendto(question)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await protocol.answer
    finally:
        transport.close()


class _Question(asyncio.DatagramProtocol):
    def __init__(self, question: bytes) -> None:
        self._question = question
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        asked = data[12 : len(self._question)].lower() == self._question[12:].lower()
        is_ours = len(data) >= 12 and data[:2] == self._question[:2] and data[2] & 0x80
        if is_ours and asked and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


def _question(number: int, name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", TXT, INTERNET)


def _read_answer(data: bytes) -> list[str]:
    """The texts of the TXT records in a response, up to the first malformed one."""
    found: list[str] = []
    try:
        questions, answers = struct.unpack_from("!HH", data, 4)
        at = 12
        for _ in range(questions):
            at = _after_name(data, at) + 4
        for _ in range(answers):
            at = _after_name(data, at)
            kind, _, _, size = struct.unpack_from("!HHIH", data, at)
            at += 10
            if kind == TXT:
                found.append(_text(data[at : at + size]))
            at += size
    except (struct.error, IndexError):
        pass
    return found


def _after_name(data: bytes, at: int) -> int:
    while data[at]:
        if data[at] & 0xC0:
            return at + 2
        at += data[at] + 1
    return at + 1


def _text(data: bytes) -> str:
    parts, at = [], 0
    while at < len(data):
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += data[at] + 1
    return b"".join(parts).decode("utf-8", "replace")


def _system_name_server() -> str:
    path = Path("/etc/resolv.conf")
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return next(
        (line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1), "127.0.0.1"
    )
