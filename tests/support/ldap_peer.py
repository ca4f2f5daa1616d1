"""An LDAP server whose responses a test chooses: refusals with Active Directory's texts, referrals, no response, and invalid data.

async with ldap_peer() as peer:
    peer.entries["anna@contoso.test"] = "CN=Anna,DC=contoso"
    peer.passwords["CN=Anna,DC=contoso"] = "secret"
    peer.binds           # the names and passwords that arrived
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lockstep.ldap.messages import BIND_RESPONSE, DONE, ENTRY, EXTENDED, REFERENCE, length_bytes, length_of


@dataclass
class LdapPeer:
    url: str = ""
    entries: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    binds: list[tuple[str, str]] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)
    is_broken: bool = False
    second: dict[str, str] = field(default_factory=dict)  # another entry with the same value
    values: dict[str, dict[str, str]] = field(default_factory=dict)  # of attributes, by entry

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        _, first = await reader.readexactly(2)
        more = await reader.readexactly(length_bytes(first))
        content = await reader.readexactly(length_of(first, more))
        if self.is_broken:
            writer.write(b"\x30\x80nonsense")
            return True
        number, (kind, body) = content[:3], _elements(content)[1]
        if kind == 0x60:
            _, (_, name), (_, password) = _elements(body)
            self.binds.append((name.decode(), password.decode()))
            code, text = self._verdict(name.decode(), password.decode())
            writer.write(_message(number, BIND_RESPONSE, _result(code, text)))
        elif kind == 0x63:
            value = _elements(_elements(body)[6][1])[1][1].decode()
            self.searched.append(value)
            writer.write(_message(number, REFERENCE, _tlv(0x04, b"ldap://elsewhere.test/")))
            for dn in [of[value] for of in (self.entries, self.second) if value in of]:
                writer.write(_message(number, ENTRY, _tlv(0x04, dn.encode()) + _tlv(0x30, self._attributes(dn))))
            writer.write(_message(number, DONE, _result(0, "")))
        elif kind == 0x77:
            writer.write(_message(number, EXTENDED, _result(2, "StartTLS is not supported")))
        return kind != 0x42

    def _attributes(self, dn: str) -> bytes:
        return b"".join(
            _tlv(0x30, _tlv(0x04, name.encode()) + _tlv(0x31, _tlv(0x04, value.encode())))
            for name, value in self.values.get(dn, {}).items()
        )

    def _verdict(self, name: str, password: str) -> tuple[int, str]:
        if not password:
            return 0, ""  # an unauthenticated bind, which succeeds
        if name in self.refusals:
            return (
                49,
                f"80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data {self.refusals[name]}, v3839",
            )
        return (0, "") if self.passwords.get(name) == password else (49, "data 52e")


@asynccontextmanager
async def ldap_peer() -> AsyncIterator[LdapPeer]:
    peer = LdapPeer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"ldap://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        more = length_bytes(data[1])
        end = 2 + more + length_of(data[1], data[2 : 2 + more])
        found.append((data[0], data[2 + more : end]))
        data = data[end:]
    return found


def _message(number: bytes, kind: int, body: bytes) -> bytes:
    return _tlv(0x30, number + _tlv(kind, body))


def _result(code: int, text: str) -> bytes:
    return _tlv(0x0A, bytes([code])) + _tlv(0x04, b"") + _tlv(0x04, text.encode())


def _tlv(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x82]) + len(content).to_bytes(2, "big") + content
