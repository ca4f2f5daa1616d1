"""Connections to an LDAP server: one to find an entry, and one to bind as it. Each is closed after one operation; referrals are not
followed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from lockstep.errors import Kind, LockstepError, invalid
from lockstep.ldap import messages
from lockstep.ldap.messages import MalformedMessage, Message

TIMEOUT_SECONDS = 10
_MOST_MESSAGES = 50
_SEQUENCE = 0x30


@dataclass(frozen=True, slots=True)
class LdapServer:
    """The address of the server. *ca* is the PEM certificate of its authority, or "" to use the authorities that this machine trusts."""

    host: str
    port: int
    is_encrypted: bool
    ca: str = ""


@dataclass(frozen=True, slots=True)
class BindResult:
    """The result of a bind: the result code and the server's message."""

    code: int
    text: str

    @property
    def is_right(self) -> bool:
        return self.code == messages.SUCCESS


def server_at(url: str, ca: str = "") -> LdapServer:
    """Parse *url*. Raises LockstepError unless passwords are sent encrypted, or the server is on this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("ldaps", "ldap") or not host or parts.path not in ("", "/") or parts.username is not None:
        raise invalid(
            f'"{url[:200]}" is not the address of an LDAP server', next_step="For example: ldaps://dc1.contoso.com"
        )
    is_encrypted = parts.scheme == "ldaps"
    if not is_encrypted and not _is_own_machine(host):
        raise invalid("Passwords would be sent unencrypted", next_step=f"Use ldaps://{host}")
    if ca:
        try:
            ssl.create_default_context(cadata=ca)
        except (ssl.SSLError, ValueError):
            raise invalid(
                "The CA certificate is not PEM",
                next_step="Give the certificate of the authority that signed the server's certificate",
            ) from None
    return LdapServer(host, port or (636 if is_encrypted else 389), is_encrypted, ca)


async def find_names(
    server: LdapServer, *, bind_dn: str, password: str, base: str, attribute: str, value: str
) -> list[str]:
    """Return the names of up to two entries whose *attribute* is *value*, searching as *bind_dn*. Raises LockstepError if
    the search fails.
    """
    async with _connected(server) as link:
        bound = await _bound(link, bind_dn, password)
        if not bound.is_right:
            raise _failed(f"It refuses {bind_dn} (result {bound.code}): {bound.text[:300]}")
        await link.send(messages.search_request(2, base, attribute, value, most=2, seconds=TIMEOUT_SECONDS))
        found: list[str] = []
        for _ in range(_MOST_MESSAGES):
            answer = await link.read()
            if answer.kind == messages.ENTRY:
                found.append(answer.dn)
            elif answer.kind == messages.DONE:
                if answer.code not in (messages.SUCCESS, 4):  # 4 (sizeLimitExceeded): there are more entries
                    raise _failed(f"It refuses the search (result {answer.code}): {answer.text[:300]}")
                return found
        raise _failed("Its answer to a search has no end")


async def bind(server: LdapServer, dn: str, password: str) -> BindResult:
    """Check with the server whether *password* is the password of the entry *dn*. Raises LockstepError if the server gives no usable
    answer, ValueError if *dn* or *password* is empty.
    """
    async with _connected(server) as link:
        return await _bound(link, dn, password)


@dataclass(slots=True)
class _Link:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

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
        raise _failed("Its answer is not the answer to a bind")
    return BindResult(answer.code, answer.text)


@asynccontextmanager
async def _connected(server: LdapServer) -> AsyncIterator[_Link]:
    """Connect for at most `TIMEOUT_SECONDS`. Raises LockstepError for every failure of the connection."""
    context = ssl.create_default_context(cadata=server.ca or None) if server.is_encrypted else None
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(server.host, server.port, ssl=context)
            yield _Link(reader, writer)
            with suppress(OSError):
                writer.write(messages.unbind_request(9))
    except TimeoutError:
        raise _failed(f"It did not answer within {TIMEOUT_SECONDS} seconds") from None
    except MalformedMessage as wrong:
        raise _failed(f"It sent {wrong}") from None
    except (OSError, asyncio.IncompleteReadError) as wrong:  # an untrusted certificate is an OSError too
        raise _failed(str(wrong) or type(wrong).__name__) from None
    finally:
        if writer is not None:
            writer.close()


def _failed(why: str) -> LockstepError:
    return LockstepError(
        Kind.UNREACHABLE,
        "The LDAP directory gave no usable answer",
        why=why,
        next_step="Check the server, then test: lockstep people sign-in ldap test --help",
        code="DirectoryUnreachable",
    )


def _is_own_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
