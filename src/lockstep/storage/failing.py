"""Count the objects of a job that fail at present, and the linked objects that do not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row


@dataclass(frozen=True, slots=True)
class FailureCounts:
    """The failures of one job. *references* counts objects whose own account is in step, but whose manager or member the application
    refuses.
    """

    base: int
    references: int

    @property
    def total(self) -> int:
        return self.base + self.references


@dataclass(frozen=True, slots=True)
class FailingObject:
    """The failures of one object since its last success. *reason* is the reason of the last failure. *is_due* is true if the next attempt
    is due. Otherwise *again_at* is the time of that attempt, or None if the object is not tried again.
    """

    failures: int
    since: datetime
    reason: str
    is_due: bool
    again_at: datetime | None


async def failing_object(connection: Connection, job: str, kind: str, source_id: str) -> FailingObject | None:
    """Return the failures of the object, or None if its last attempt did not fail."""
    async with connection.cursor(row_factory=class_row(FailingObject)) as cursor:
        await cursor.execute(
            """select failures, coalesce(first_failed_at, marked_at) as since, coalesce(last_error ->> 'reason', '') as reason,
                not_before <= now() as is_due, case when isfinite(not_before) then not_before end as again_at
            from dirty where job = %s and kind = %s and source_id = %s and failures > 0""",
            (job, kind, source_id),
        )
        return await cursor.fetchone()


async def count_failing(connection: Connection, job: str) -> FailureCounts:
    """Count objects whose last attempt failed, including those that were given up."""
    cursor = await connection.execute(
        """select count(*) filter (where resume -> 'isAboutReferences' is distinct from 'true'),
            count(*) filter (where resume -> 'isAboutReferences' = 'true')
        from dirty where job = %s and failures > 0""",
        (job,),
    )
    return FailureCounts(*await only_row(cursor))


async def count_working(connection: Connection, job: str) -> int:
    """Count linked objects that do not fail."""
    cursor = await connection.execute(
        """select count(*) from link where job = %(job)s and state <> 'tombstone'
            and not exists (select from dirty where dirty.job = %(job)s and dirty.kind = link.kind
                and dirty.source_id = link.source_id and dirty.failures > 0)""",
        {"job": job},
    )
    return int((await only_row(cursor))[0])
