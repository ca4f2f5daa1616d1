"""Put objects into the dirty set, make those due that wait, and count them in a cycle.

Rows are taken in the order of their kinds and ids, here as everywhere, so that nobody waits for another in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from lockstep.engine.records import Lane
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row
from lockstep.storage.touched import concerning

MANY = 500
_IN_ORDER = """with wanted as (
        select job, kind, source_id from dirty where {which}
        order by kind, source_id
        for update
    )
    update dirty set {change} from wanted
    where dirty.job = wanted.job and dirty.kind = wanted.kind and dirty.source_id = wanted.source_id"""


async def mark(connection: Connection, job: str, kind: str, ids: Sequence[str], *, lane: Lane, reason: str) -> int:
    """Mark objects dirty; returns how many."""
    cursor = await connection.execute(
        "select mark_dirty(%s, %s, %s::uuid[], %s::smallint, %s)", (job, kind, list(ids), lane.number, reason)
    )
    return int((await only_row(cursor))[0])


async def mark_all(
    connection: Connection, job: str, app: str, kind: str, *, everybody: bool, cycle: int | None, reason: str
) -> int:
    """Mark the objects of *kind* that are assigned (*everybody*: all there are) or linked; returns how many.

    Groups come after people, so that their members have accounts by then.
    """
    cursor = await connection.execute(
        sql.SQL(
            """insert into dirty (job, kind, source_id, lane, reasons, cycle)
            select %(job)s, %(kind)s, wanted.id,
                case when %(kind)s = 'Group' then 5 when link.source_id is not null then 4 else 3 end,
                array[%(reason)s], %(cycle)s
            from ({ids}) as wanted (id)
            left join link on link.job = %(job)s and link.kind = %(kind)s and link.source_id = wanted.id
                and link.state <> 'tombstone'
            order by wanted.id
            on conflict (job, kind, source_id) do update set
                version = nextval('dirty_version'),
                lane = least(dirty.lane, excluded.lane),
                reasons = case when dirty.reasons @> excluded.reasons then dirty.reasons
                    else dirty.reasons || excluded.reasons end,
                not_before = '-infinity',
                cycle = coalesce(excluded.cycle, dirty.cycle)"""
        ).format(ids=concerning(kind, everybody=everybody)),
        {"job": job, "app": app, "kind": kind, "cycle": cycle, "reason": reason},
    )
    await refresh_statistics(connection, cursor.rowcount)
    return cursor.rowcount


async def refresh_statistics(connection: Connection, marked: int) -> None:
    """After many marks, tell the planner how many there are now: for a table that was empty it would read all for each of a few.

    Whoever finds another at it passes on: waiting here, with rows locked, could close a circle.
    """
    if marked < MANY:
        return
    cursor = await connection.execute(
        "select reltuples < %s from pg_class where oid = 'dirty'::regclass", (2 * marked,)
    )
    if (await only_row(cursor))[0]:
        await connection.execute("analyze (skip_locked) dirty")


async def set_cycle(connection: Connection, job: str, attempts: Sequence[int], *, cycle: int) -> None:
    """Count our claims in *cycle*."""
    await connection.execute(
        _IN_ORDER.format(
            which="job = %(job)s and attempt = any(%(attempts)s) and cycle is null", change="cycle = %(cycle)s"
        ),
        {"job": job, "attempts": list(attempts), "cycle": cycle},
    )


async def adopt_due(connection: Connection, job: str, *, cycle: int) -> int:
    """Count everything that is due, and belongs to no cycle yet, in *cycle*; returns how many."""
    cursor = await connection.execute(
        _IN_ORDER.format(which="job = %(job)s and cycle is null and not_before <= now()", change="cycle = %(cycle)s"),
        {"job": job, "cycle": cycle},
    )
    return cursor.rowcount


async def release_cycle(connection: Connection, cycle: int) -> None:
    """What *cycle* did not finish belongs to no cycle any more."""
    await connection.execute(_IN_ORDER.format(which="cycle = %(cycle)s", change="cycle = null"), {"cycle": cycle})


async def count_of_cycle(connection: Connection, kind: str, *, cycle: int) -> int:
    """How many objects of *kind* still belong to *cycle*."""
    cursor = await connection.execute("select count(*) from dirty where cycle = %s and kind = %s", (cycle, kind))
    return int((await only_row(cursor))[0])


async def make_escrow_due(connection: Connection, job: str, *, cycle: int) -> int:
    """Try everything that failed again, now, as part of *cycle*; returns how many."""
    cursor = await connection.execute(
        _IN_ORDER.format(
            which="job = %(job)s and failures > 0 and not_before > now() and not_before < 'infinity' and lease_until is null",
            change="not_before = '-infinity', cycle = %(cycle)s",
        ),
        {"job": job, "cycle": cycle},
    )
    return cursor.rowcount


async def make_some_failed_due(connection: Connection, job: str, *, limit: int | None = None) -> int:
    """Try those who failed again now, or only *limit* of them, the longest failing first; returns how many.

    What was given up comes again, too; what waits for approval has not failed and stays.
    """
    cursor = await connection.execute(
        """with chosen as (
            select job, kind, source_id from dirty
            where job = %(job)s and failures > 0 and not_before > now() and lease_until is null
            order by first_failed_at, kind, source_id limit %(limit)s
        ), locked as (
            select job, kind, source_id from dirty where (job, kind, source_id) in (select * from chosen)
            order by kind, source_id for update
        )
        update dirty set not_before = '-infinity' from locked
        where dirty.job = locked.job and dirty.kind = locked.kind and dirty.source_id = locked.source_id""",
        {"job": job, "limit": limit},
    )
    return cursor.rowcount


async def make_slowed_due(connection: Connection, job: str) -> int:
    """What a quarantine has put off, without having failed, is due again; returns how many."""
    cursor = await connection.execute(
        _IN_ORDER.format(
            which="job = %(job)s and last_error -> 'isSlowed' = 'true' and not_before > now() and lease_until is null",
            change="not_before = '-infinity'",
        ),
        {"job": job},
    )
    return cursor.rowcount


async def forget_escrow(connection: Connection, job: str) -> int:
    """Forget what failed and stop retrying it. What changed since is no failure and stays."""
    cursor = await connection.execute(
        """with failed as (
            select job, kind, source_id from dirty
            where job = %s and failures > 0 and lease_until is null and not_before > now()
            order by kind, source_id for update
        )
        delete from dirty using failed
        where dirty.job = failed.job and dirty.kind = failed.kind and dirty.source_id = failed.source_id""",
        (job,),
    )
    return cursor.rowcount


async def wake_for_accounts(connection: Connection, job: str, accounts: Sequence[str]) -> int:
    """Try those again now who failed because one of *accounts* belonged to somebody else; returns how many."""
    cursor = await connection.execute(
        """with waiting as (
            select job, kind, source_id from dirty
            where job = %(job)s and failures > 0 and not_before > now() and lease_until is null
                and last_error ->> 'account' = any(%(accounts)s)
            order by kind, source_id for update skip locked
        )
        update dirty set not_before = '-infinity' from waiting
        where dirty.job = waiting.job and dirty.kind = waiting.kind and dirty.source_id = waiting.source_id""",
        {"job": job, "accounts": list(accounts)},
    )
    return cursor.rowcount
