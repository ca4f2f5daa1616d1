"""Count the credentials that were refused, by address, and slow down who goes on guessing.

A key has 256 random bits, so guessing is not what this is for: an operator must see it, and it must not keep the database busy. Only the
answer to a wrong credential waits; a right one from the same address is served at once, so that nobody can lock others out.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import MutableMapping
from typing import Any

import structlog

from documo.access.ended_keys import EndedKeys

log = structlog.get_logger("documo.access.sign_ins")

FREE = 20  # so many may be wrong in a row before anything waits
FIRST_SECONDS, MOST_SECONDS = 0.1, 2.0
FORGET_SECONDS = 600.0
MOST_ADDRESSES = 10_000


class RefusedSignIns:
    """The refusals of each address until it was quiet for ten minutes; of more addresses than fit, the quietest is forgotten."""

    def __init__(self, ended_keys: EndedKeys) -> None:
        self._ended_keys = ended_keys
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def note(self, token: bytes, scope: MutableMapping[str, Any], door: str) -> None:
        """Count the refusal of *token* at *door*, say it on stderr, and wait as long as is due before it is answered.

        An account reads in its request log who uses its ended keys.
        """
        client = scope.get("client")
        address = client[0] if client else ""
        await self._ended_keys.note(token, scope)
        count = self.count(address, at=time.monotonic())
        if count & (count - 1) == 0:  # 1, 2, 4, 8 ...: a flood of guesses must not be one of log lines
            log.warning("sign_in_refused", address=address, door=door, count=count)
        await asyncio.sleep(seconds_to_wait(count))

    def count(self, address: str, *, at: float) -> int:
        """How many refusals that makes for *address*. *at* is in seconds of a clock that never goes back."""
        key = _network(address)
        count, last = self._counts.pop(key, (0, at))
        count = 1 if at - last > FORGET_SECONDS else count + 1
        self._counts[key] = count, at
        if len(self._counts) > MOST_ADDRESSES:
            self._counts.popitem(last=False)
        return count


def seconds_to_wait(count: int) -> float:
    """How long the answer to the refusal of that number waits: doubled each time, at most two seconds."""
    if count <= FREE:
        return 0.0
    return min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(count - FREE - 1, 16))


def _network(address: str) -> str:
    """The address, or the /64 of an IPv6 one: whoever has one address there has all of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
