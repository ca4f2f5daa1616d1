"""The state of a directory's connection: the time of its last request, the usual interval between its requests, and the user attributes
that it writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from documo.store import request_log as table
from documo.store.database import Store

BUCKET = timedelta(minutes=5)  # requests closer together than this belong to one visit
FEWEST_VISITS = 4  # visits needed to compute an interval
CONTINUOUS = timedelta(hours=1)  # during a visit this long, the directory counts as asking continuously
_LOOKED_AT = 50_000  # requests


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The time of a directory's last request, and the usual interval between its visits.

    *last* is None if the directory sent no request in the last seven days. *every* is None if the interval is unknown.
    """

    last: datetime | None
    every: timedelta | None

    def silence(self, now: datetime) -> timedelta | None:
        """Return the time since the directory's last request if it is unusually long for this directory, otherwise None."""
        if self.last is None or self.every is None:
            return None
        silent = now - self.last
        return silent if silent > 2 * self.every + 2 * BUCKET else None


def rhythm_of(moments: Sequence[datetime]) -> timedelta | None:
    """Return the usual interval between a directory's visits: the median time between the beginnings of the visits. *moments* are the times
    of the directory's requests, oldest first.

    Fewer than FEWEST_VISITS visits are not enough for a median. The result is then BUCKET if the last visit has lasted so long that the
    directory seems to send requests all the time, and None otherwise.
    """
    if not moments:
        return None
    starts = [moments[0], *(after for before, after in pairwise(moments) if after - before > BUCKET)]
    if len(starts) >= FEWEST_VISITS:
        return timedelta(seconds=round(median((after - before).total_seconds() for before, after in pairwise(starts))))
    return BUCKET if moments[-1] - starts[-1] >= CONTINUOUS else None


async def read_rhythm(store: Store, tenant_id: int) -> Rhythm:
    """Return the rhythm of an account's directories, from the seven days that the request log covers. Requests made by hand do not
    count.
    """
    async with store.tenant(tenant_id) as connection:
        last = await table.last_request(connection, tenant_id)
        moments = await table.moments(connection, tenant_id, bucket=BUCKET, looked_at=_LOOKED_AT)
    return Rhythm(last, rhythm_of(moments))


@dataclass(frozen=True, slots=True)
class MappedAttribute:
    """A SCIM attribute of a user and its use in Documo. *locked* is true if an Admin cannot change the attribute of a provisioned user."""

    attribute: str
    field: str
    writers: str
    locked: bool = False


DIRECTORY, BOTH, DOCUMO = "Directory", "Directory and Admins; the last change wins", "Documo"
MAPPING: Sequence[MappedAttribute] = (
    MappedAttribute("userName", "Email, which is also the name to sign in with", DIRECTORY, locked=True),
    MappedAttribute("name.givenName", "First name", DIRECTORY, locked=True),
    MappedAttribute("name.familyName", "Last name", DIRECTORY, locked=True),
    MappedAttribute("displayName", "Name, shown instead of first and last name", DIRECTORY, locked=True),
    MappedAttribute("phoneNumbers", "Phone: the first number", DIRECTORY, locked=True),
    MappedAttribute("active", "Status", BOTH),
    MappedAttribute("roles", "Role: the primary one, or the only one", BOTH),
    MappedAttribute("password", "Password: kept as a hash and never returned", "Directory and the user"),
    MappedAttribute("externalId", "External id", DIRECTORY, locked=True),
    MappedAttribute("groups", "Groups", "Directory, through /Groups", locked=True),
    MappedAttribute("id, meta", "Id, created and changed", DOCUMO, locked=True),
)
