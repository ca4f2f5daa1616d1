"""Limit the connections of one server, in total and per address, and close idle ones when there is no room.

One task checks the deadlines of all connections, so no timer is needed for each request.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Protocol

import structlog

from lockstep.serving.limits import ServingLimits
from lockstep.serving.refusals import Refusal

log = structlog.get_logger("lockstep.serving")

LINES_PER_SECOND = 20


class ClientConnection(Protocol):
    """The part of a connection that `Connections` uses."""

    address: str

    def look(self, now: float) -> None:
        """Act on every deadline that has passed. *now* is the event loop's time in seconds."""

    def make_room(self) -> None:
        """Close the connection to make room for another client. The client of this connection has done nothing wrong."""


class Connections:
    """Admits connections while there is room. Raises ValueError for a trusted proxy that is neither an address nor a network."""

    def __init__(self, limits: ServingLimits) -> None:
        self.limits = limits
        self._most = limits.most_connections
        self._trusted = tuple(ipaddress.ip_network(text, strict=False) for text in limits.trusted_proxies)
        self._open: set[ClientConnection] = set()
        self._by_address: dict[str, int] = {}
        self._quiet: dict[ClientConnection, None] = {}  # connections without a request in progress, longest idle first
        self._lines = 0
        self._unlogged = 0

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: ClientConnection) -> str:
        """Admit *connection* and return "". If it is refused, return the reason: too many connections from its address, or too many in
        total.

        If the server has reached its total limit, the connection that has been idle longest is closed to make room. *connection* is refused
        only if none is idle.
        """
        address = connection.address
        mine = self._by_address.get(address, 0)
        if mine >= self.limits.connections_per_address and not self.is_trusted(address):
            return f"There are {mine} connections from this address, which is the limit."
        if len(self._open) >= self._most:
            oldest = next(iter(self._quiet), None)
            if oldest is None:
                return f"There are {len(self._open)} connections, which is the limit."
            oldest.make_room()
            self.leave(oldest)
        self._open.add(connection)
        self._by_address[address] = self._by_address.get(address, 0) + 1
        self._quiet[connection] = None
        return ""

    def leave(self, connection: ClientConnection) -> None:
        """Record that *connection* is closed or about to be closed."""
        self._quiet.pop(connection, None)
        if connection not in self._open:
            return
        self._open.discard(connection)
        left = self._by_address[connection.address] - 1
        if left:
            self._by_address[connection.address] = left
        else:
            del self._by_address[connection.address]

    def busy(self, connection: ClientConnection) -> None:
        """Record that *connection* has a request in progress."""
        self._quiet.pop(connection, None)

    def quiet(self, connection: ClientConnection) -> None:
        """Record that *connection* is idle again."""
        if connection in self._open:
            self._quiet[connection] = None

    def is_trusted(self, address: str) -> bool:
        """Whether *address* is one of the trusted proxies."""
        if not self._trusted:
            return False
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known.version == network.version and known in network for network in self._trusted)

    async def watch(self) -> None:
        """Check the deadlines of every connection until cancelled."""
        limits, loop = self.limits, asyncio.get_running_loop()
        shortest = min(limits.head_seconds, limits.body_seconds, limits.answer_seconds, limits.linger_seconds)
        last_line = loop.time()
        while True:
            await asyncio.sleep(min(0.5, shortest / 4))
            now = loop.time()
            for connection in list(self._open):
                connection.look(now)
            if now - last_line >= 1.0:
                last_line, self._lines = now, 0
                if self._unlogged:
                    log.warning("requests_refused", count=self._unlogged)
                    self._unlogged = 0

    def note(self, refusal: Refusal, address: str) -> None:
        """Log a refusal. After `LINES_PER_SECOND` lines in one second, further refusals are only counted."""
        if self._lines >= LINES_PER_SECOND:
            self._unlogged += 1
            return
        self._lines += 1
        log.warning(
            "request_refused", status=refusal.status, reason=refusal.detail, address=address, method=refusal.method,
            path=refusal.path[:200],
        )  # fmt: skip
