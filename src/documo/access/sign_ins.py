"""Count refused credentials by network address, and slow down an address that keeps guessing.

A key has 256 random bits, so guessing cannot succeed. But the operator must see the attempts, and the attempts must not overload the
database. Only the response to a wrong credential is delayed. A request with a valid credential from the same address is served at once, so
that nobody can lock others out.
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

FREE = 20  # refusals in a row before responses are delayed
FIRST_SECONDS, MOST_SECONDS = 0.1, 2.0
FORGET_SECONDS = 600.0
MOST_ADDRESSES = 10_000


class RefusedSignIns:
    """Counts the refusals of each address. A count is dropped after ten minutes without a refusal. If there are too many addresses, the one
    that has gone longest without a refusal is dropped.
    """

    def __init__(self, ended_keys: EndedKeys) -> None:
        self._ended_keys = ended_keys
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def note(self, token: bytes, scope: MutableMapping[str, Any], door: str) -> None:
        """Count the refusal of *token* at the endpoint *door*, and sleep for as long as the response must be delayed. Only some refusals
        are logged, because a flood of guesses would otherwise flood the log.

        If *token* is an expired or revoked key, the request also appears in the request log of the key's account.
        """
        client = scope.get("client")
        address = client[0] if client else ""
        await self._ended_keys.note(token, scope)
        count = self.count(address, at=time.monotonic())
        if count & (count - 1) == 0:  # 1, 2, 4, 8 ...: a flood of guesses must not flood the log
            log.warning("sign_in_refused", address=address, door=door, count=count)
        await asyncio.sleep(seconds_to_wait(count))

    def count(self, address: str, *, at: float) -> int:
        """Count one refusal and return the total for the network of *address*. *at* is a time in seconds, from a monotonic clock."""
        key = _network(address)
        count, last = self._counts.pop(key, (0, at))
        count = 1 if at - last > FORGET_SECONDS else count + 1
        self._counts[key] = count, at
        if len(self._counts) > MOST_ADDRESSES:
            self._counts.popitem(last=False)
        return count


def seconds_to_wait(count: int) -> float:
    """Return the delay, in seconds, of the response to refusal number *count*. The first FREE refusals are not delayed. The delay then
    doubles with each refusal, up to MOST_SECONDS.
    """
    if count <= FREE:
        return 0.0
    return min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(count - FREE - 1, 16))


def _network(address: str) -> str:
    """Return the address, or the /64 network of an IPv6 address, because a client usually controls the whole /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
