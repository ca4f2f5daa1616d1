"""Count or read the objects that are still queued, to estimate the effects that may follow the present write.

Objects with an account may still lose access or values. Objects without an account may still be given privileges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row

# Objects with an open operation are left out: the guards already count them as sent.
_WAITING = """
from dirty
where dirty.job = %(job)s and dirty.lane <= %(up_to_lane)s and dirty.not_before <= now() and dirty.version > %(after)s
    and not dirty.reasons @> '{approved}'
    and %(linked)s = exists (select from link where link.job = dirty.job and link.kind = dirty.kind
        and link.source_id = dirty.source_id and link.state in ('live', 'disabled'))
    and not exists (select from operation where operation.job = dirty.job and operation.kind = dirty.kind
        and operation.source_id = dirty.source_id and operation.state in ('planned', 'ambiguous'))
"""


@dataclass(frozen=True, slots=True)
class WaitingObject:
    kind: str
    source_id: str
    version: int


async def count_waiting(connection: Connection, job: str, *, up_to_lane: int, linked: bool, after: int) -> int:
    """Count the due objects that were marked after version *after*. If *linked* is true, count only objects with an account, otherwise only
    those without one. Objects with an approved write are left out, because guards do not count that write. Objects with an open operation
    are left out too, because guards have already counted that operation.
    """
    cursor = await connection.execute(
        f"select count(*) {_WAITING}",  # constants of this module only
        {"job": job, "up_to_lane": up_to_lane, "linked": linked, "after": after},
    )
    return int((await only_row(cursor))[0])


async def read_waiting(
    connection: Connection, job: str, *, up_to_lane: int, linked: bool, after: int, limit: int
) -> Sequence[WaitingObject]:
    """Return the next *limit* of the objects that `count_waiting` counts, in the order in which they were marked."""
    async with connection.cursor(row_factory=class_row(WaitingObject)) as cursor:
        await cursor.execute(
            "select dirty.kind, dirty.source_id::text, dirty.version "  # constants of this module only
            f"{_WAITING} order by dirty.version limit %(limit)s",
            {"job": job, "up_to_lane": up_to_lane, "linked": linked, "after": after, "limit": limit},
        )
        return await cursor.fetchall()
