"""Connections to an LDAP server: one to find an entry, and one to bind as that entry. Each connection is closed after one operation;
referrals are not followed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from lockstep.errors import Kind, LockstepError, invalid
from lockstep.http.outbound import Admit, Blocked
from lockstep.ldap import messages
from lockstep.ldap.messages import MalformedMessage, Message

TIMEOUT_SECONDS = 10
_MOST_MESSAGES = 50
_SEQUENCE = 0x30
# Raises Blocked if the address of the server (host, port, address) must not be used.


@dataclass(frozen=True, slots=True)
class LdapServer:
    """The address of the server. With *starts_tls*, encryption begins with StartTLS instead of at the first byte.

    *ca* is the PEM certificate of the server's authority, or "" to use the authorities that this machine trusts. *admit* raises Blocked for
    addresses that must not be used.
    """

    host: str
    port: int
    is_encrypted: bool
    admit: Admit
    ca: str = ""
    starts_tls: bool = False


@dataclass(frozen=True, slots=True)
class BindResult:
    """The result of a bind: the result code and the server's message."""

    code: int
    text: str

    @property
    def is_right(self) -> bool:
        return self.code == messages.SUCCESS


@dataclass(frozen=True, slots=True)
class LdapEntry:
    """An entry: its name, and the values of the requested attribute."""

    dn: str
    values: Sequence[str] = ()


def server_at(url: str, ca: str = "", *, admit: Admit, starts_tls: bool = False) -> LdapServer:
    """Parse *url*. Raises LockstepError if the address or the CA certificate is invalid, or if passwords would be sent unencrypted to
    another machine.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("ldaps", "ldap") or not host or parts.path not in ("", "/") or parts.username is not None:
        raise invalid(
            f'"{url[:200]}" is not the address of an LDAP server', next_step="For example: ldaps://dc1.contoso.com"
        )
    is_ldaps = parts.scheme == "ldaps"
    if is_ldaps and starts_tls:
        raise invalid(
            "ldaps:// is encrypted from the first byte", next_step=f"Use ldap://{host}, or leave StartTLS out"
        )
    if not is_ldaps and not starts_tls and not _is_own_machine(host):
        raise invalid("Passwords would be sent unencrypted", next_step=f"Use ldaps://{host}, or StartTLS")
    if ca:
        try:
            ssl.create_default_context(cadata=ca)
        except (ssl.SSLError, ValueError):
            raise invalid(
                "The CA certificate is not PEM",
                next_step="Give the certificate of the authority that signed the server's certificate",
            ) from None
    return LdapServer(host, port or (636 if is_ldaps else 389), is_ldaps or starts_tls, admit, ca, starts_tls)


async def find_entries(
    server: LdapServer, *, bind_dn: str, password: str, base: str, attribute: str, value: str, wanted: str = ""
) -> list[LdapEntry]:
    """Return up to two entries whose *attribute* is *value*, with the values of the attribute *wanted*. The search runs as *bind_dn*.

    Raises LockstepError if the search fails.
    """
    async with _connected(server) as link:
        bound = await _bound(link, bind_dn, password)
        if not bound.is_right:
            raise _failed(f"It refuses {bind_dn} (result {bound.code}): {bound.text[:300]}")
        request = messages.search_request(2, base, attribute, value, most=2, seconds=TIMEOUT_SECONDS, wanted=wanted)
        await link.send(request)
        found: list[LdapEntry] = []
        for _ in range(_MOST_MESSAGES):
            answer = await link.read()
            if answer.kind == messages.ENTRY:
                found.append(LdapEntry(answer.dn, answer.values.get(wanted.lower(), ())))
            elif answer.kind == messages.DONE:
                if answer.code not in (messages.SUCCESS, 4):  # 4 (sizeLimitExceeded): there are more entries
                    raise _failed(f"It refuses the search (result {answer.code}): {answer.text[:300]}")
                return found
        raise _failed("Its response to a search does not end")


async def bind(server: LdapServer, dn: str, password: str) -> BindResult:
    """Check with the server whether *password* is the password of the entry *dn*.

    Raises LockstepError if the server gives no usable response, and ValueError if *dn* or *password* is empty.
    """
    async with _connected(server) as link:
        return await _bound(link, dn, password)


async def certificate_end(server: LdapServer) -> datetime | None:
    """Return when the server's certificate expires, or None if the connection is unencrypted.

    Raises LockstepError if the server cannot be reached or trusted.
    """
    async with _connected(server) as link:
        certificate = link.writer.get_extra_info("peercert")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC) if certificate else None


@dataclass(slots=True)
class _Link:
    """A connection to the server. After StartTLS, *below* keeps the unencrypted writer alive, because that writer closes the connection
    when it is deleted.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    below: asyncio.StreamWriter | None = None

    async def send(self, request: bytes) -> None:
        self.writer.write(request)
        await self.writer.drain()

    async def read(self) -> Message:
        tag, first = await self.reader.readexactly(2)
        if tag != _SEQUENCE:
            raise MalformedMessage("no sequence")
        more = await self.reader.readexactly(messages.length_bytes(first))
        return messages.read_message(await self.reader.readexactly(messages.length_of(first, more)))


async def _bound(link: _Link, dn: str, password: str) -> BindResult:
    await link.send(messages.bind_request(1, dn, password))
    answer = await link.read()
    if answer.kind != messages.BIND_RESPONSE or answer.number != 1:
        raise _failed("It did not reply with a bind response")
    return BindResult(answer.code, answer.text)


@asynccontextmanager
async def _connected(server: LdapServer) -> AsyncIterator[_Link]:
    """Provide a connection during the block, which may last at most `TIMEOUT_SECONDS`. Raises LockstepError for every failure of the
    connection.
    """
    link: _Link | None = None
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            link = await _opened(server)
            if server.starts_tls:
                link = await _encrypted(link, server)
            yield link
            with suppress(OSError):
                link.writer.write(messages.unbind_request(9))
    except TimeoutError:
        raise _failed(f"It did not answer within {TIMEOUT_SECONDS} seconds") from None
    except MalformedMessage as wrong:
        raise _failed(f"It sent {wrong}") from None
    except Blocked as refused:
        raise _failed(str(refused), refused.next_step) from None
    except (OSError, asyncio.IncompleteReadError) as wrong:  # an untrusted certificate is an OSError too
        raise _failed(str(wrong) or type(wrong).__name__) from None
    finally:
        if link is not None:
            link.writer.close()


async def _opened(server: LdapServer) -> _Link:
    """Connect to the server. If one address of the name is not admitted, the whole name is refused, because it may resolve differently the
    next time.
    """
    loop = asyncio.get_running_loop()
    known = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    for *_, place in known:
        server.admit(server.host, server.port, ip_address(str(place[0]).partition("%")[0]))
    context = _trusting(server) if server.is_encrypted and not server.starts_tls else None
    failures: list[OSError] = []
    for *_, place in known:
        name = server.host if context is not None else None
        try:
            return _Link(*await asyncio.open_connection(str(place[0]), server.port, ssl=context, server_hostname=name))
        except OSError as failure:
            failures.append(failure)
    raise failures[0] if failures else OSError("The host name has no address")


async def _encrypted(link: _Link, server: LdapServer) -> _Link:
    """Encrypt the connection with StartTLS (RFC 4511, section 4.14). Data that arrives before the encryption starts is discarded.

    Raises LockstepError if the server refuses StartTLS. In that case nothing else is sent.
    """
    await link.send(messages.start_tls_request(1))
    answer = await link.read()
    if answer.kind != messages.EXTENDED or answer.code != messages.SUCCESS:
        raise _failed(f"It refuses StartTLS (result {answer.code}): {answer.text[:300]}", "Use ldaps://")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport = await loop.start_tls(link.writer.transport, protocol, _trusting(server), server_hostname=server.host)
    if transport is None:
        raise _failed("It ended the connection during StartTLS")
    protocol.connection_made(transport)
    return _Link(reader, asyncio.StreamWriter(transport, protocol, reader, loop), link.writer)


def _trusting(server: LdapServer) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=server.ca or None)


def _failed(why: str, next_step: str = "") -> LockstepError:
    return LockstepError(
        Kind.UNREACHABLE,
        "The LDAP directory sent no usable response",
        why=why,
        next_step=next_step or "Check the server, then test: lockstep people sign-in ldap test --help",
        code="DirectoryUnreachable",
    )


def _is_own_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
