"""Ask DNS for TXT records: one question over UDP, so that no resolver library is needed.

What comes back is only compared with a proof; an answer that is not ours (another id or question) is ignored.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from functools import partial
from pathlib import Path

from lockstep.errors import unreachable

TXT, INTERNET = 16, 1
TIMEOUT_SECONDS, TRIES = 2.0, 3


async def txt_records(name: str, *, name_server: str | None = None) -> list[str]:
    """The TXT records of *name*; empty when there are none. Raises LockstepError when no name server answers."""
    server = name_server or _system_name_server()
    address, _, port = server.partition("#")
    loop = asyncio.get_running_loop()
    for _ in range(TRIES):
        number = secrets.randbelow(65536)
        transport, protocol = await loop.create_datagram_endpoint(
            partial(_Question, number), remote_addr=(address, int(port or 53))
        )
        try:
            transport.sendto(_question(number, name))
            return _read_answer(await asyncio.wait_for(protocol.answer, TIMEOUT_SECONDS))
        except (TimeoutError, OSError):
            continue
        finally:
            transport.close()
    raise unreachable(f"The name server {server} did not answer", next_step="Name another: --name-server ADDRESS")


class _Question(asyncio.DatagramProtocol):
    def __init__(self, number: int) -> None:
        self._number = number
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        is_ours = len(data) >= 12 and struct.unpack_from("!H", data)[0] == self._number and data[2] & 0x80
        if is_ours and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


def _question(number: int, name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", TXT, INTERNET)


def _read_answer(data: bytes) -> list[str]:
    """The texts of all TXT records in a response; what is malformed is left out."""
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
