"""Figures for monitoring: only numbers, one row per job.

Ages are computed with the clock of the database. Statements are cancelled after a few seconds, so that a scrape never burdens the
database for long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row

# Longer than any transaction that writes log entries takes to commit, so that no entry is skipped.
_SETTLED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class WaitingCounts:
    """The numbers of objects of one job that wait to be evaluated. *changes* counts objects that have not failed, *failing* counts failed
    objects, and *leavers* counts objects that must lose access.

    *changes* and *leavers* include neither held objects nor people whose access begins on a future date. Ages are in seconds, and 0 if
    nothing waits.
    """

    job: str
    changes: int
    oldest_change: float
    failing: int
    leavers: int
    oldest_leaver: float


async def limit_statements(connection: Connection, *, seconds: float) -> None:
    """Cancel any statement of this transaction that takes longer than *seconds*."""
    await connection.execute("select set_config('statement_timeout', %s, true)", (str(int(seconds * 1000)),))


async def waiting(connection: Connection) -> list[WaitingCounts]:
    """Count the waiting objects of each job. Jobs without dirty objects are left out."""
    async with connection.cursor(row_factory=class_row(WaitingCounts)) as cursor:
        await cursor.execute(
            """select job, count(*) filter (where is_new) as changes,
                coalesce(extract(epoch from now() - min(marked_at) filter (where is_new)), 0)::float8 as oldest_change,
                count(*) filter (where failures > 0) as failing,
                count(*) filter (where lane = 1 and is_wanted) as leavers,
                coalesce(extract(epoch from now() - min(marked_at) filter (where lane = 1 and is_wanted)), 0)::float8
                    as oldest_leaver
            from dirty, lateral (select
                not_before < 'infinity' and not (not_before > now() and coalesce(resume ->> 'stage' = 'scheduled', false)) as is_wanted,
                not_before > now() and coalesce(resume ? 'isSlowed', false) as is_slowed) as why,
                lateral (select is_wanted and failures = 0 and not is_slowed as is_new) as kind_of_wait
            group by job"""
        )
        return await cursor.fetchall()


async def linked(connection: Connection) -> list[tuple[str, str, str, int]]:
    """Count the linked accounts by job, kind and state (live or disabled)."""
    cursor = await connection.execute(
        "select job, kind, state, count(*) from link where state in ('live', 'disabled') group by job, kind, state"
    )
    return [(row[0], row[1], row[2], row[3]) for row in await cursor.fetchall()]


async def last_cycles(connection: Connection) -> list[tuple[str, str, float]]:
    """For each job and final state, return when a cycle last ended in that state, in seconds since 1970. On-demand runs do not count."""
    cursor = await connection.execute(
        """select job, state, extract(epoch from max(ended_at))::float8 from cycle
        where ended_at is not null and kind <> 'onDemand' group by job, state"""
    )
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


async def troubled(connection: Connection) -> frozenset[str]:
    """Return the jobs whose application gives no usable response."""
    cursor = await connection.execute("select job from target_state where trouble is not null")
    return frozenset(row[0] for row in await cursor.fetchall())


async def workers(connection: Connection, *, silent_seconds: float) -> tuple[int, float | None]:
    """Return the number of worker queues whose heartbeat is newer than *silent_seconds*, and the newest heartbeat in seconds since 1970."""
    cursor = await connection.execute(
        """select count(*) filter (where last_heartbeat > now() - make_interval(secs => %s)),
            extract(epoch from max(last_heartbeat))::float8 from procrastinate_workers""",
        (silent_seconds,),
    )
    row = await only_row(cursor)
    return int(row[0]), row[1]


class WrittenTally:
    """Counts log entries by (job, action, status) since `begin`.

    Each read covers the new entries and, once more, those of the last minute. An entry gets its number before the commit, so an entry with
    a lower number may become visible later.
    """

    def __init__(self) -> None:
        self._settled: dict[tuple[str, str, str], int] = {}
        self._mark = 0

    async def begin(self, connection: Connection) -> None:
        """Count entries from now on."""
        newest = await connection.execute("select coalesce(max(seq), 0) from provisioning_log")
        self._mark = int((await only_row(newest))[0])

    async def read(self, connection: Connection) -> Mapping[tuple[str, str, str], int]:
        """Return the counts so far, which never decrease."""
        cursor = await connection.execute(
            """with added as (
                select seq, job, action, status, at >= now() - make_interval(secs => %(seconds)s) as is_recent
                from provisioning_log where seq > %(mark)s
            ), edge as (
                select coalesce(min(seq) filter (where is_recent) - 1, max(seq)) as mark from added
            )
            select job, action, status, count(*) filter (where seq <= edge.mark), count(*) filter (where seq > edge.mark),
                edge.mark
            from added, edge group by job, action, status, edge.mark""",
            {"seconds": _SETTLED_SECONDS, "mark": self._mark},
        )
        counts = dict(self._settled)
        for job, action, status, settled, recent, mark in await cursor.fetchall():
            key = (job, action, status)
            self._settled[key] = self._settled.get(key, 0) + settled
            counts[key] = self._settled[key] + recent
            self._mark = mark
        return counts
