"""The time and the randomness that pure code may use, given from outside.

The same moment gives the same answer, always: a preview and the write that follows it share one moment, so a generated password or
identifier does not change between them. Give every object its own seed, or all of them get the same "random" values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import shake_256


@dataclass(frozen=True, slots=True)
class Moment:
    """*now* is aware UTC; *seed* is secret wherever passwords are generated from it."""

    now: datetime
    seed: bytes = b""

    def random_bytes(self, label: str, count: int) -> bytes:
        """*count* bytes that only *seed* and *label* decide. Different labels give independent bytes."""
        # The length goes in front so that no seed and label together read like another pair.
        length = len(self.seed).to_bytes(4, "big")
        return shake_256(length + self.seed + label.encode("utf-8", "surrogatepass")).digest(count)
