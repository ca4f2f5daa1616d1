"""The objects of a job that fail at present, grouped by their error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from lockstep.engine.records import Lane
from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Objects of one job with the same error. *reason* and *next_step* each come from one of the objects; *names* lists some objects as
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
            """with failing as materialized (
                select job, kind, source_id, lane, coalesce(last_error ->> 'code', '') as code,
                    coalesce(last_error ->> 'reason', '') as reason, coalesce(last_error ->> 'nextStep', '') as next_step
                from dirty
                where job = any(%(jobs)s) and failures > 0 and not exists (select from operation
                    where operation.job = dirty.job and operation.kind = dirty.kind and operation.source_id = dirty.source_id
                        and operation.state = 'held')
            ),
            numbered as (
                select job, kind, source_id, code, row_number() over (partition by job, code order by source_id) as place from failing
            ),
            named as (
                select job, code, array_agg(coalesce(
                    (select nullif(display, '') from link
                        where link.job = numbered.job and link.kind = numbered.kind and link.source_id = numbered.source_id),
                    (select user_principal_name from person where kind = 'User' and id = source_id),
                    (select display_name from grp where kind = 'Group' and id = source_id), source_id::text) order by place) as names
                from numbered where place <= %(names)s group by 1, 2
            )
            select job, code, min(reason) as reason, min(next_step) as next_step, count(*)::int as count,
                (count(*) filter (where lane = %(leavers)s))::int as leavers, named.names
            from failing join named using (job, code)
            group by job, code, named.names order by 5 desc, 2""",
            {"jobs": list(jobs), "names": names, "leavers": Lane.LEAVERS.number},
        )
        return await cursor.fetchall()
