"""Send every outgoing HTTP request: one client, one set of outbound rules, one hard deadline.

The client connects to exactly the address that it has checked, and never follows redirects. Errors say whether the request may have been
sent, because a write that may have taken effect must not be repeated.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from lockstep import __version__
from lockstep.http.outbound import Blocked, Destination, OutboundRules
from lockstep.http.tls import tls_context
from lockstep.http.trouble import Trouble, WireError, explained, timed_out, too_large

USER_AGENT = f"Lockstep/{__version__}"
LARGEST_BODY = 10 * 1024 * 1024
CONNECT_SECONDS = 5.0
# Shorter than what servers usually grant, so that they do not close a connection while we write.
KEEP_ALIVE_SECONDS = 4.0
MOST_CONNECTIONS = 512

_LIMITS = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)

# Host and port to socket addresses, as returned by `loop.getaddrinfo`.
Lookup = Callable[[str, int], Any]


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response. Header names are in lower case; *body* is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Stream:
    """A response without a defined end. *lines* yields its body line by line, as bytes."""

    status: int
    headers: Mapping[str, str]
    lines: AsyncIterable[bytes]


class HttpClient:
    """A pool of connections. Create it anywhere, then use and close it in one event loop."""

    def __init__(
        self,
        rules: OutboundRules | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        lookup: Lookup | None = None,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        self.largest_body = largest_body
        self.rules = rules or OutboundRules()
        self.tls = tls or tls_context()
        self.lookup = lookup or _system_lookup
        self._session: aiohttp.ClientSession | None = None
        self._under_way: dict[aiohttp.ClientSession, int] = {}
        self._closing: set[asyncio.Future[None]] = set()

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, deadline: float
    ) -> Response:
        """Send one request. *deadline* is the event loop time by which the complete response must have arrived.

        Raises WireError if there is no complete response. A response with any HTTP status is returned.
        """
        started = time.monotonic()
        place = self._checked(url)
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise timed_out(Trouble.TIMEOUT, place, 0.0)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._exchange(method, url, headers, body, started, _limits(left))
        except TimeoutError as late:
            trouble = Trouble.CONNECT_TIMEOUT if isinstance(late, aiohttp.ConnectionTimeoutError) else Trouble.TIMEOUT
            raise timed_out(trouble, place, time.monotonic() - started) from None
        except (aiohttp.ClientError, OSError, ValueError) as failed:
            error = explained(failed, place)
            error.seconds = time.monotonic() - started
            raise error from None

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, silent_seconds: float
    ) -> AsyncIterator[Stream]:
        """Send one request whose response has no defined end. Raises WireError if the connection fails, or if no data arrive for
        *silent_seconds*.

        The error may also be raised later, while the lines are read.
        """
        started = time.monotonic()
        place = self._checked(url)
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silent_seconds)
        session = self._session or self._open()
        self._under_way[session] = self._under_way.get(session, 0) + 1
        try:
            async with session.request(
                method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False, timeout=limits
            ) as answer:
                kept = {name.lower(): value for name, value in answer.headers.items()}
                yield Stream(answer.status, kept, _lines(answer.content))
        except TimeoutError as late:
            trouble = Trouble.CONNECT_TIMEOUT if isinstance(late, aiohttp.ConnectionTimeoutError) else Trouble.TIMEOUT
            raise timed_out(trouble, place, time.monotonic() - started) from None
        except (aiohttp.ClientError, OSError) as failed:
            raise explained(failed, place) from None
        finally:
            await self._ended(session)

    def _checked(self, url: str) -> Destination:
        try:
            return self.rules.check_url(url)
        except Blocked as refused:
            raise WireError(Trouble.BLOCKED, str(refused), refused.next_step) from None

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        started: float,
        limits: aiohttp.ClientTimeout,
    ) -> Response:
        session = self._session or self._open()
        self._under_way[session] = self._under_way.get(session, 0) + 1
        try:
            async with session.request(
                method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False, timeout=limits
            ) as answer:
                if method == "HEAD" or answer.status in (204, 304):
                    content = b""
                else:
                    content = await _read(answer, self.largest_body)
                kept = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status, kept, content, time.monotonic() - started)
        finally:
            await self._ended(session)

    async def _ended(self, session: aiohttp.ClientSession) -> None:
        self._under_way[session] -= 1
        if self._under_way[session] == 0:
            del self._under_way[session]
            if session is not self._session:
                await session.close()

    def renew(self) -> None:
        """Stop reusing connections and resolved addresses, because the rules have changed. Requests in progress are not interrupted."""
        session, self._session = self._session, None
        if session is not None and session not in self._under_way:
            self._under_way[session] = 1
            closing = asyncio.ensure_future(self._ended(session))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=MOST_CONNECTIONS,
            resolver=_GuardedResolver(self.rules, self.lookup),
            ssl=self.tls,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            ttl_dns_cache=10,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_LIMITS,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"},
            auto_decompress=True,
            trust_env=False,
        )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        for one in {session, *self._under_way}:
            if one is not None:
                await one.close()


class _GuardedResolver(AbstractResolver):
    """Resolves names, and returns only addresses that the rules allow. One forbidden address blocks the whole name."""

    def __init__(self, rules: OutboundRules, lookup: Lookup) -> None:
        self._rules = rules
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._lookup(host, port)
        results = []
        for kind, _, protocol, _, address in found:
            self._rules.check_address(host, port, ip_address(address[0].partition("%")[0]))
            results.append(
                ResolveResult(
                    hostname=host, host=address[0], port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
                )
            )
        return results

    async def close(self) -> None:
        return None


def _limits(left: float) -> aiohttp.ClientTimeout:
    """Return time limits for one request, so that an attempt to connect ends before the deadline, which is *left* seconds away.

    A request whose time runs out while it is connecting was therefore certainly not sent.
    """
    if left > CONNECT_SECONDS * 1.25:
        return _LIMITS
    return aiohttp.ClientTimeout(total=None, sock_connect=max(0.05, left * 0.8))


async def _system_lookup(host: str, port: int) -> Any:
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


async def _read(answer: aiohttp.ClientResponse, largest: int) -> bytes:
    """Return the complete body. Reading stops at the size limit, which applies to the decompressed body."""
    length = answer.content_length
    if length is not None and length > largest:
        answer.close()
        raise too_large(largest)
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.content.iter_any():
        size += len(piece)
        if size > largest:
            answer.close()
            raise too_large(largest)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield the lines of *content*, of any length. (aiohttp itself refuses lines that are longer than its buffer.)"""
    begun: list[bytes] = []
    async for piece in content.iter_any():
        *whole, rest = piece.split(b"\n")
        for line in whole:
            yield b"".join((*begun, line, b"\n"))
            begun.clear()
        if rest:
            begun.append(rest)
    if begun:
        yield b"".join(begun)
