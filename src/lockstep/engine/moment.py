"""The time and the randomness that pure code may use, passed in by the caller.

The same moment always gives the same result. A preview and the write that follows it share one moment, so a generated password or
identifier does not change between them. Every object needs its own seed; otherwise all objects would get the same "random" values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import shake_256


@dataclass(frozen=True, slots=True)
class Moment:
    """A time and a seed for random values. *now* is aware UTC. *seed* must be kept secret if passwords are generated from it."""

    now: datetime
    seed: bytes = b""

    def random_bytes(self, label: str, count: int) -> bytes:
        """Return *count* bytes derived from *seed* and *label* only. Different labels give independent bytes."""
        # The length prefix prevents two different pairs of seed and label from concatenating to the same bytes.
        length = len(self.seed).to_bytes(4, "big")
        return shake_256(length + self.seed + label.encode("utf-8", "surrogatepass")).digest(count)
