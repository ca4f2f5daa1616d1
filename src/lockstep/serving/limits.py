"""How much of the server one client may take: bytes, seconds and connections."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field

LEAST_CONNECTIONS = 16
RESERVED_FILES = 96  # for the database, the log, what the program itself opens


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one server. Sizes in bytes, times in seconds.

    *connections* is also kept below what the process may open (`ulimit -n`). *connections_per_address* does not hold for
    *trusted_proxies*, addresses or networks whose X-Forwarded-For is believed: all their clients come from one address.
    """

    head_bytes: int = 65_536  # the request line and the header fields
    head_fields: int = 100
    target_bytes: int = 49_152  # the longest filter, every character of it escaped, fits in
    ahead: int = 32  # requests that a client may send before it has read the answer to the first
    discarded_bytes: int = 64 * 1024 * 1024  # of a body that nobody wants, so that its sender gets to read why
    head_seconds: float = (
        10.0  # from the connection to the first complete head, and from the first byte of each later one
    )
    body_seconds: float = 30.0
    idle_seconds: float = 75.0  # between two requests; longer than proxies and clients keep an idle connection
    answer_seconds: float = 30.0  # in which a client reads at least what is buffered of its answer
    linger_seconds: float = 2.0  # after a refusal, so that it arrives before the connection is reset
    stop_seconds: float = (
        5.0  # for requests under way when the server stops; half of it for a request that is incomplete
    )
    connections: int = 2_000
    connections_per_address: int = 256
    trusted_proxies: tuple[str, ...] = field(default=())

    @property
    def most_connections(self) -> int:
        """*connections*, or fewer where the process may not open so many files."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        possible = self.connections if soft == resource.RLIM_INFINITY else soft - RESERVED_FILES
        return max(LEAST_CONNECTIONS, min(self.connections, possible))
