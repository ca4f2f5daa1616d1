"""The limits on a client's use of the server: bytes, seconds and connections."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field

LEAST_CONNECTIONS = 16
RESERVED_FILES = 96  # for the database, the log and the program's own files


@dataclass(frozen=True, slots=True)
class ServingLimits:
    """The limits of one server. Sizes are in bytes, and times are in seconds.

    *connections* is also limited by the number of files that the process may open (`ulimit -n`). *trusted_proxies* are addresses or
    networks whose X-Forwarded-For is trusted. *connections_per_address* does not apply to them, because all clients of a proxy share its
    address.
    """

    head_bytes: int = 65_536  # the request line and the header fields
    head_fields: int = 100
    target_bytes: int = 49_152  # enough for the longest filter with every character escaped
    ahead: int = 32  # requests that a client may send before it has read the first response
    discarded_bytes: int = 64 * 1024 * 1024  # of an unwanted body, so that its client can read the refusal
    head_seconds: float = 10.0  # until the first head is complete; later heads: from their first byte
    body_seconds: float = 30.0
    idle_seconds: float = 75.0  # between two requests; longer than proxies and clients keep idle connections
    answer_seconds: float = 30.0  # how long a client may take to read the buffered part of its response
    linger_seconds: float = 2.0  # after a refusal, so that it arrives before the connection is reset
    stop_seconds: float = 5.0  # for requests in progress when the server stops; incomplete requests get half of it
    connections: int = 2_000
    connections_per_address: int = 256
    trusted_proxies: tuple[str, ...] = field(default=())

    @property
    def most_connections(self) -> int:
        """The effective limit of connections: *connections*, or fewer if the process may not open that many files."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        possible = self.connections if soft == resource.RLIM_INFINITY else soft - RESERVED_FILES
        return max(LEAST_CONNECTIONS, min(self.connections, possible))
