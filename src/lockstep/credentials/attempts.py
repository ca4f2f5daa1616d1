"""How failed sign-ins delay the next ones. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from lockstep.errors import Kind, LockstepError
from lockstep.wording import counted

FORGOTTEN = timedelta(days=1)
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(minutes=15)
_SITE_BITS = 64  # an IPv6 client chooses among so many bits of its address by itself


@dataclass(frozen=True, slots=True)
class Limit:
    """*free*: failures without a delay. *fades*: after how long one failure does not count any more; None: only with a sign-in."""

    free: int
    fades: timedelta | None = None

    def delay_after(self, failures: int) -> timedelta:
        """How long no further attempt is looked at after so many failures."""
        doubled = failures - self.free
        return min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(doubled, 20)) if doubled >= 0 else timedelta()

    def still_counting(self, failures: int, *, last_at: datetime, now: datetime) -> int:
        """How many of so many *failures*, the last of them at *last_at*, count at *now*."""
        faded = int((now - last_at) / self.fades) if self.fades else 0
        return max(0, failures - faded)


OF_EMAIL = Limit(free=5)
# A whole office may share one address, so its failures fade by themselves, and somebody's sign-in does not forgive those of others.
OF_ADDRESS = Limit(free=20, fades=timedelta(minutes=5))


def network_of(address: str) -> str:
    """*address*, or the network of one IPv6 site."""
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
    """What to say while a delay of *left* lasts; not what it is for."""
    seconds = max(1, round(left.total_seconds()))
    length = counted(seconds, "second") if seconds < 120 else counted(round(seconds / 60), "minute")
    return LockstepError(
        Kind.THROTTLED,
        "Too many failed sign-ins",
        next_step=f"Wait {length}, then try again",
        code="SignInLocked",
        retryable=True,
    )
