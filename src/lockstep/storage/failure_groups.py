"""The objects of a job that fail at present, grouped by their error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from lockstep.engine.records import Lane
from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Objects of one job with the same error. *reason* and *next_step* come from one of the objects; *names* lists some of them as
    examples.
    """

    job: str
    code: str
    reason: str
    next_step: str
    count: int
    leavers: int
    names: list[str]


async def failure_groups(connection: Connection, jobs: Sequence[str], *, names: int = 5) -> list[FailureGroup]:
    """Return the groups of *jobs*, largest first. A held write does not count as a failure."""
    async with connection.cursor(row_factory=class_row(FailureGroup)) as cursor:
        await cursor.execute(
            """select dirty.job, coalesce(last_error ->> 'code', '') as code, min(coalesce(last_error ->> 'reason', '')) as reason,
                min(coalesce(last_error ->> 'nextStep', '')) as next_step, count(*)::int as count,
                (count(*) filter (where dirty.lane = %(leavers)s))::int as leavers,
                (array_agg(coalesce(nullif(link.display, ''), person.user_principal_name, grp.display_name, dirty.source_id::text)
                    order by dirty.source_id))[1:%(names)s] as names
            from dirty
            left join link on link.job = dirty.job and link.kind = dirty.kind and link.source_id = dirty.source_id
            left join person on dirty.kind = 'User' and person.id = dirty.source_id
            left join grp on dirty.kind = 'Group' and grp.id = dirty.source_id
            where dirty.job = any(%(jobs)s) and dirty.failures > 0 and not exists (select from operation
                where operation.job = dirty.job and operation.kind = dirty.kind and operation.source_id = dirty.source_id
                    and operation.state = 'held')
            group by 1, 2 order by 5 desc, 2""",
            {"jobs": list(jobs), "names": names, "leavers": Lane.LEAVERS.number},
        )
        return await cursor.fetchall()
