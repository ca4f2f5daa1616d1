"""The delays that failed sign-ins cause for later sign-ins. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from lockstep.errors import Kind, LockstepError
from lockstep.wording import counted

FORGOTTEN = timedelta(days=1)
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(minutes=15)
_SITE_BITS = 64  # an IPv6 client chooses the other 64 bits of its address itself


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on failures. *free* is the number of the first failure that causes a delay.

    The count is reduced by one for each full period of length *fades* since the last failure. If *fades* is None, the count is not reduced
    in this way.
    """

    free: int
    fades: timedelta | None = None

    def delay_after(self, failures: int) -> timedelta:
        """Return how long further attempts are refused after this number of failures."""
        doubled = failures - self.free
        return min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(doubled, 20)) if doubled >= 0 else timedelta()

    def still_counting(self, failures: int, *, last_at: datetime, now: datetime) -> int:
        """Return how many of *failures* still count at *now*, if the last one was at *last_at*."""
        faded = int((now - last_at) / self.fades) if self.fades else 0
        return max(0, failures - faded)


OF_EMAIL = Limit(free=5)
# A whole office may share one address. Its failures fade with time, and one person's sign-in does not clear the failures of others.
OF_ADDRESS = Limit(free=20, fades=timedelta(minutes=5))


def network_of(address: str) -> str:
    """Return the /64 network of an IPv6 address, because a client can choose the rest of the address.

    An IPv4 address that is mapped to IPv6 is returned as IPv4. Any other text, such as an IPv4 address, is returned unchanged.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    shifted = int(parsed) >> (128 - _SITE_BITS) << (128 - _SITE_BITS)
    return f"{IPv6Address(shifted)}/{_SITE_BITS}"


def too_many_failures(left: timedelta) -> LockstepError:
    """Build the error for an attempt during a delay; *left* is the rest of the delay. The error does not say whether the e-mail address or
    the network address caused it.
    """
    seconds = max(1, round(left.total_seconds()))
    length = counted(seconds, "second") if seconds < 120 else counted(round(seconds / 60), "minute")
    return LockstepError(
        Kind.THROTTLED,
        "Too many failed sign-ins",
        next_step=f"Wait {length}, then try again",
        code="SignInLocked",
        retryable=True,
        retry_after_seconds=seconds,
    )
