"""Put objects into the dirty set, make waiting objects due, and count objects in a cycle.

Every statement locks its rows in the order of kinds and ids, so that two statements cannot deadlock. A transaction whose second statement
locks earlier rows than its first can; it is run again if PostgreSQL rolls it back (`lockstep.postgres.undone`).
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
_DUE = "job = %(job)s and cycle is null and not_before <= now()"


async def mark(connection: Connection, job: str, kind: str, ids: Sequence[str], *, lane: Lane, reason: str) -> int:
    """Mark objects dirty. Returns the number of marked objects."""
    cursor = await connection.execute(
        "select mark_dirty(%s, %s, %s::uuid[], %s::smallint, %s)", (job, kind, list(ids), lane.number, reason)
    )
    return int((await only_row(cursor))[0])


async def mark_all(
    connection: Connection, job: str, app: str, kind: str, *, everybody: bool, cycle: int | None, reason: str
) -> int:
    """Mark the objects of *kind* that are linked or assigned. With *everybody*, also mark unassigned objects that are not deleted. Returns
    how many objects were marked.

    With *cycle*, objects whose account is missing are marked too, so that the account is searched for. Omit *cycle* after a change of the
    configuration, because such a change does not require the search. Groups become due after people, so that their members have accounts by
    then.
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
        ).format(ids=concerning(kind, everybody=everybody, includes_gone=cycle is not None)),
        {"job": job, "app": app, "kind": kind, "cycle": cycle, "reason": reason},
    )
    await refresh_statistics(connection, cursor.rowcount)
    return cursor.rowcount


async def refresh_statistics(connection: Connection, marked: int) -> None:
    """Refresh the planner's statistics after many marks. With the statistics of an empty table, the planner would scan the whole table
    for a few rows.

    Returns at once if another transaction is already refreshing them: waiting here, with rows locked, could deadlock.
    """
    if marked < MANY:
        return
    cursor = await connection.execute(
        "select reltuples < %s from pg_class where oid = 'dirty'::regclass", (2 * marked,)
    )
    if (await only_row(cursor))[0]:
        await connection.execute("analyze (skip_locked) dirty")


async def set_cycle(connection: Connection, job: str, attempts: Sequence[int], *, cycle: int) -> None:
    """Make the claimed objects part of *cycle*, unless they are already part of a cycle."""
    await connection.execute(
        _IN_ORDER.format(
            which="job = %(job)s and attempt = any(%(attempts)s) and cycle is null", change="cycle = %(cycle)s"
        ),
        {"job": job, "attempts": list(attempts), "cycle": cycle},
    )


async def overrule_claims(connection: Connection, job: str, ids: Sequence[str] | None = None) -> None:
    """Prevent workers from recording an outcome for the objects *ids* that they have claimed, or for all claimed objects if *ids* is None.
    These workers made their plans from links that this transaction changes.

    The leases stay, because a request may be under way. When they end, Lockstep checks the application for the effect of that request. Call
    this before changing the links, because code that records outcomes locks dirty rows first.
    """
    await connection.execute(
        _IN_ORDER.format(
            which="job = %(job)s and (%(ids)s::uuid[] is null or source_id = any(%(ids)s::uuid[])) and lease_until is not null",
            change="attempt = nextval('dirty_attempt')",
        ),
        {"job": job, "ids": None if ids is None else list(ids)},
    )


async def adopt_due(connection: Connection, job: str, *, cycle: int) -> int:
    """Add to *cycle* all due objects that are not part of a cycle yet. Returns the number of added objects."""
    cursor = await connection.execute(
        _IN_ORDER.format(which=_DUE, change="cycle = %(cycle)s"), {"job": job, "cycle": cycle}
    )
    return cursor.rowcount


async def adopt_due_and_failed(connection: Connection, job: str, *, cycle: int) -> int:
    """Add to *cycle* all due objects that are not part of a cycle yet, and all failed objects that wait for a retry, which become due now.
    Returns the number of added objects.
    """
    failed = "failures > 0 and not_before > now() and not_before < 'infinity' and lease_until is null"
    cursor = await connection.execute(
        _IN_ORDER.format(
            which=f"({_DUE} or job = %(job)s and {failed})",
            change="not_before = case when dirty.not_before > now() then '-infinity' else dirty.not_before end, cycle = %(cycle)s",
        ),
        {"job": job, "cycle": cycle},
    )
    return cursor.rowcount


async def release_cycle(connection: Connection, cycle: int) -> None:
    """Detach the unfinished objects from *cycle*."""
    await connection.execute(_IN_ORDER.format(which="cycle = %(cycle)s", change="cycle = null"), {"cycle": cycle})


async def count_of_cycle(connection: Connection, kind: str, *, cycle: int) -> int:
    """Count the objects of *kind* that are still part of *cycle*."""
    cursor = await connection.execute("select count(*) from dirty where cycle = %s and kind = %s", (cycle, kind))
    return int((await only_row(cursor))[0])


async def make_failed_due(connection: Connection, job: str, ids: Sequence[str] | None = None, *, code: str = "") -> int:
    """Make failed objects due now. With *ids*, only objects in *ids* become due; with *code*, only objects with this error code. Returns
    how many became due.

    An object that was given up becomes due only if *ids* contains it. An object with a held write never becomes due, so a retry cannot send
    the held write.
    """
    cursor = await connection.execute(
        _IN_ORDER.format(
            which="""job = %(job)s and failures > 0 and not_before > now() and lease_until is null
            and (%(ids)s::uuid[] is null and not_before < 'infinity' or source_id = any(%(ids)s::uuid[]))
            and (%(code)s = '' or lower(last_error ->> 'code') = lower(%(code)s))
            and not exists (select from operation where operation.job = dirty.job and operation.kind = dirty.kind
                and operation.source_id = dirty.source_id and operation.state = 'held')""",
            change="not_before = '-infinity'",
        ),
        {"job": job, "ids": None if ids is None else list(ids), "code": code},
    )
    return cursor.rowcount


async def make_some_failed_due(connection: Connection, job: str, *, limit: int | None = None) -> int:
    """Make failed objects due now, including those that were given up. With *limit*, choose the objects that have failed longest. Returns
    how many became due.

    Objects held for approval have not failed and stay held.
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
    """Make due all objects that a quarantine postponed, whether or not they failed before. Returns how many became due."""
    cursor = await connection.execute(
        _IN_ORDER.format(
            which="job = %(job)s and resume -> 'isSlowed' = 'true' and not_before > now() and lease_until is null",
            change="not_before = '-infinity'",
        ),
        {"job": job},
    )
    return cursor.rowcount


async def make_left_due(connection: Connection, job: str) -> int:
    """Make due all objects that wait for the end of a cycle which applied a preview. Call this when the cycle has ended. Returns how many
    became due.
    """
    cursor = await connection.execute(
        _IN_ORDER.format(
            which="job = %(job)s and resume -> 'isLeft' = 'true'",
            change="not_before = '-infinity', resume = dirty.resume - 'isLeft'",
        ),
        {"job": job},
    )
    return cursor.rowcount


async def forget_escrow(connection: Connection, job: str) -> int:
    """Remove failed objects without a live account from the dirty set, so that they are not retried. Returns how many were removed. Objects
    that changed since their failure stay.

    A failed object with a live account is not removed, because its access may have to end, and Lockstep never gives up ending access. The
    object becomes due now, as if it had not failed.
    """
    failed = "dirty.job = %(job)s and failures > 0 and lease_until is null and not_before > now()"
    has_account = """exists (select from link where link.job = dirty.job and link.kind = dirty.kind and link.source_id = dirty.source_id
        and link.state = 'live')"""
    await connection.execute(
        _IN_ORDER.format(
            which=f"{failed} and {has_account}",
            change="""not_before = '-infinity', version = nextval('dirty_version'), failures = 0, first_failed_at = null,
                last_error = null, resume = null""",
        ),
        {"job": job},
    )
    cursor = await connection.execute(
        f"""with failed as (
            select job, kind, source_id from dirty where {failed} and not {has_account}
            order by kind, source_id for update
        )
        delete from dirty using failed
        where dirty.job = failed.job and dirty.kind = failed.kind and dirty.source_id = failed.source_id""",  # noqa: S608
        {"job": job},
    )
    return cursor.rowcount


async def wake_for_accounts(connection: Connection, job: str, accounts: Sequence[str]) -> int:
    """Record that *accounts* were released. Make due each object that failed because one of these accounts belonged to another object.
    Returns how many objects became due.

    A claimed object cannot be made due. `dirty.postpone` makes it due later, because the link shows that the account was released.
    """
    await connection.execute(
        "update link set freed_at = clock_timestamp() where job = %s and target_id = any(%s) and state <> 'tombstone'",
        (job, list(accounts)),
    )
    cursor = await connection.execute(
        """with waiting as (
            select job, kind, source_id from dirty
            where job = %(job)s and failures > 0 and not_before > now() and lease_until is null
                and resume ->> 'account' = any(%(accounts)s)
            order by kind, source_id for update skip locked
        )
        update dirty set not_before = '-infinity' from waiting
        where dirty.job = waiting.job and dirty.kind = waiting.kind and dirty.source_id = waiting.source_id""",
        {"job": job, "accounts": list(accounts)},
    )
    return cursor.rowcount
