"""Figures over time for each job: operations, their durations, and the number of waiting objects.

Recording adds one row for each batch. `sum_up` replaces these rows with sums for each job: first one row per minute, later one per half
hour. Days that charts no longer show in half hours finally get one row each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from psycopg import sql

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json

# The keys of counts that count memberships; the others count objects.
OF_MEMBERSHIPS = frozenset({"membersAdded", "membersRemoved", "membersRefused", "membersNotKept", "membersUnverified"})


@dataclass(frozen=True, slots=True)
class WorkDone:
    """The work of one recorded batch. *counts* has the keys of a cycle's counts; *failures* counts error codes.

    *responses*, *gained* and *lost* count durations by length (`engine.durations`): how long requests took, how long people waited for
    access, and how long people kept access that had to end.
    """

    counts: Mapping[str, int]
    failures: Mapping[str, int]
    responses: Mapping[int, int]
    gained: Mapping[int, int]
    lost: Mapping[int, int]

    @property
    def is_empty(self) -> bool:
        return not (self.counts or self.failures or self.responses)


async def note_work(connection: Connection, job: str, work: WorkDone) -> None:
    """Record the work of one batch."""
    await connection.execute(
        """insert into activity (job, counts, failures, responses, gained, lost)
        values (%s, %s::jsonb, %s::jsonb, %s::jsonb, %s::jsonb, %s::jsonb)""",
        (
            job,
            as_json(work.counts),
            _document(work.failures),
            _document(work.responses),
            _document(work.gained),
            _document(work.lost),
        ),
    )


def _document(numbers: Mapping[str, int] | Mapping[int, int]) -> str | None:
    return as_json(numbers) if numbers else None


async def sum_up(connection: Connection) -> None:
    """Replace the rows of each job with their sums. The rows of each past minute become one row. When two hours have passed, the rows of
    each half hour become one row. The rows of each day before yesterday (in UTC) become one row.

    Rows that are committed too late for this call are added by the next call.
    """
    await _sum(connection, "minutes = 0 and at < date_trunc('minute', now())", minutes=1)
    await _sum(connection, "minutes < 30 and at < date_trunc('hour', now() - interval '2 hours')", minutes=30)
    await _sum(connection, "minutes = 30 and at < date_trunc('day', now() - interval '1 day', 'UTC')", minutes=1440)


async def _sum(connection: Connection, which: LiteralString, *, minutes: int) -> None:
    await connection.execute(
        sql.SQL(
            """with summed as (
                delete from activity where {which} returning job, at, counts, failures, responses, gained, lost
            )
            insert into activity (job, at, minutes, counts, failures, responses, gained, lost)
            select job, date_bin(make_interval(mins => %(minutes)s), at, '2000-01-01 00:00Z'), %(minutes)s, sum_counts(counts),
                nullif(sum_counts(failures), '{{}}'), nullif(sum_counts(responses), '{{}}'), nullif(sum_counts(gained), '{{}}'),
                nullif(sum_counts(lost), '{{}}')
            from summed group by 1, 2"""
        ).format(which=sql.SQL(which)),
        {"minutes": minutes},
    )


async def note_queues(connection: Connection) -> None:
    """Record how many objects wait for each job, if the number has changed. Counts due objects that have not failed and are not held."""
    await connection.execute(
        """insert into queue_depth (job, waiting)
        select job.id, coalesce(due.waiting, 0) from job
        left join (select job, count(*) as waiting from dirty where failures = 0 and not_before <= now() group by job) as due
            on due.job = job.id
        where coalesce(due.waiting, 0) is distinct from (
            select waiting from queue_depth as noted where noted.job = job.id order by at desc limit 1)
            and (due.waiting > 0 or exists (select from queue_depth as noted where noted.job = job.id))
        on conflict (job, at) do nothing"""
    )


async def figures_of(
    connection: Connection, job: str, *, since: datetime, step: timedelta, recent_since: datetime, days_since: datetime
) -> dict[tuple[str, int], dict[str, int]]:
    """Return the figures of *job*, reading the rows only once. Each key of the result is a pair of a part and a place. Each value maps
    names to sums. For example, the key ("counts", 3) has the counts of step 3.

    The parts `counts`, `failures` and `responses` have one place for each step. The steps are *step* long, begin at *since* and are
    numbered from 0. The parts `gained` and `lost` have one place for each day, also numbered from 0, beginning at *days_since*. The part
    `recent` has only place 0, with the `counts` from *recent_since* on. *days_since* must be the earliest of the three times.
    """
    cursor = await connection.execute(
        """select part, place, jsonb_object_agg(name, number)
        from (
            select part, place, name, sum(number::bigint)::bigint as number
            from (
                select part, place, document
                from activity,
                    lateral (select floor(extract(epoch from at - %(since)s) / %(seconds)s)::int as step,
                        floor(extract(epoch from at - %(days_since)s) / 86400)::int as day) as places,
                    lateral (values
                        ('counts', step, case when at >= %(since)s then counts end),
                        ('failures', step, case when at >= %(since)s then failures end),
                        ('responses', step, case when at >= %(since)s then responses end),
                        ('recent', 0, case when at >= %(recent_since)s then counts end),
                        ('gained', day, gained), ('lost', day, lost)) as parts (part, place, document)
                where job = %(job)s and at >= %(days_since)s and document is not null
            ) as parted, jsonb_each_text(document) as each (name, number)
            group by 1, 2, 3
        ) as summed
        group by 1, 2""",
        {
            "job": job,
            "since": since,
            "seconds": step.total_seconds(),
            "recent_since": recent_since,
            "days_since": days_since,
        },
    )
    return {(part, place): numbers for part, place, numbers in await cursor.fetchall()}


async def losses_by_day(connection: Connection, jobs: Sequence[str], *, since: datetime) -> list[tuple[int, str, int]]:
    """Count how often access ended in *jobs*, by day and by the time that passed between the change and the write.

    Each result has three parts: the number of the day, counted from *since*; the length of that time, as in `WorkDone.lost`; and the count.
    """
    cursor = await connection.execute(
        """with batch as materialized (
            select floor(extract(epoch from at - %(since)s) / 86400)::int as day, lost from activity
            where lost is not null and at >= %(since)s and job = any(%(jobs)s)
        )
        select day, length, sum(number::bigint)::bigint from batch, jsonb_each_text(lost) as each (length, number)
        group by 1, 2""",
        {"jobs": list(jobs), "since": since},
    )
    return await cursor.fetchall()


async def queue_by_time(connection: Connection, job: str, *, since: datetime) -> list[tuple[datetime, int]]:
    """Return the lengths of the queue that were recorded from *since* on, oldest first. If lengths were recorded before *since*, the most
    recent of them is the first entry.
    """
    cursor = await connection.execute(
        """(select at, waiting from queue_depth where job = %(job)s and at < %(since)s order by at desc limit 1)
        union all (select at, waiting from queue_depth where job = %(job)s and at >= %(since)s order by at)""",
        {"job": job, "since": since},
    )
    return await cursor.fetchall()
