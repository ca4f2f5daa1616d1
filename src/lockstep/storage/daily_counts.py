"""The work done by the cycles of each day. The database computes the sums, so the result has one row per day, however many cycles ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row, tuple_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class DailyCounts:
    """The sums of one day. *day* is a day in UTC; *counts* has the same keys as in a cycle."""

    day: date
    counts: Mapping[str, int]


async def daily_counts(connection: Connection, jobs: Sequence[str], *, since: date) -> list[DailyCounts]:
    """Return, for each day (UTC), the summed counts of the cycles of *jobs* that began on that day. Days before *since* and days without a
    cycle are left out.
    """
    async with connection.cursor(row_factory=class_row(DailyCounts)) as cursor:
        await cursor.execute(
            """select day, jsonb_object_agg(name, number) as counts
            from (
                select (started_at at time zone 'UTC')::date as day, name, sum(number::bigint) as number
                from cycle, jsonb_each_text(counts) as each (name, number)
                where job = any(%s) and started_at >= %s::date::timestamp at time zone 'UTC'
                group by 1, 2
            ) as summed
            group by day order by day""",
            (list(jobs), since),
        )
        return await cursor.fetchall()


async def daily_writes(
    connection: Connection, jobs: Sequence[str], names: Sequence[str], *, since: date
) -> list[tuple[str, date, int]]:
    """Return, for each of *jobs* and each day in UTC, the sum of the counts that *names* lists. Only cycles that began on *since* or later
    are included.
    """
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """select job, (started_at at time zone 'UTC')::date, sum(number::bigint)::bigint
            from cycle, jsonb_each_text(counts) as each (name, number)
            where job = any(%s) and name = any(%s) and started_at >= %s::date::timestamp at time zone 'UTC'
            group by 1, 2""",
            (list(jobs), list(names), since),
        )
        return [(job, day, int(number)) for job, day, number in await cursor.fetchall()]
