"""A name server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers from *records*, *aliases* and *addresses*, and keeps every question that it understood."""

    records: dict[str, list[str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    cuts_short: bool = False
    noise: list[bytes] = field(default_factory=list)
    is_silent: int = 0
    questions: list[str] = field(default_factory=list)
    address: str = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        host, port = transport.get_extra_info("sockname")
        self.address = f"{host}#{port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True)
        self.questions.append(name)
        if len(self.questions) <= self.is_silent:
            return
        for text in ("of-another-id", "of-another-name"):
            self._transport.sendto(_answer(question, [text], forged=text), addr)
        for datagram in self.noise:
            self._transport.sendto(datagram, addr)
        texts = [] if self.cuts_short else self.records.get(name, [])
        answer = _answer(
            question,
            texts,
            rcode=self.rcode,
            is_cut=self.cuts_short,
            alias=self.aliases.get(name, ""),
            address=self.addresses.get(name, ""),
        )
        self._transport.sendto(answer, addr)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer questions over TCP (RFC 1035, section 4.2.2)."""
        question = dns.message.from_wire(await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")))
        name = question.question[0].name.to_text(omit_final_dot=True)
        answer = _answer(question, self.records.get(name, []))
        writer.write(len(answer).to_bytes(2, "big") + answer)
        await writer.drain()
        writer.close()


def _answer(
    question: dns.message.Message,
    texts: Iterable[str],
    *,
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    forged: str = "",
    is_cut: bool = False,
    alias: str = "",
    address: str = "",
) -> bytes:
    if forged == "of-another-name":
        question = dns.message.make_query("other.example", "TXT", id=question.id)
    response = dns.message.make_response(question)
    response.id ^= 1 if forged == "of-another-id" else 0
    response.set_rcode(rcode)
    response.flags |= dns.flags.TC if is_cut else 0
    name = question.question[0].name
    texts = [" ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) for text in texts]
    if texts:
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *texts))
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", "elsewhere.example."))
    if alias:
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", f"{alias}."))
    if address and question.question[0].rdtype == dns.rdatatype.A:
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", address))
    return response.to_wire()


@asynccontextmanager
async def answering(server: NameServer) -> AsyncIterator[None]:
    """Let *server* answer over UDP and TCP, on a port that is free for both."""
    loop = asyncio.get_running_loop()
    while True:
        streams = await asyncio.start_server(server.talk, "127.0.0.1", 0)
        port = streams.sockets[0].getsockname()[1]
        try:
            datagrams, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", port))
        except OSError:  # taken by somebody else
            streams.close()
            continue
        break
    try:
        async with streams:
            yield
    finally:
        datagrams.close()
