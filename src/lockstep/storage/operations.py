"""The journal: operations that may have left the house, written before they are sent.

From the moment it is journalled an operation counts as possibly sent. Whoever finds one open looks at the application before
anything else happens to that object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.engine.decisions.safeguards import Counts, Tally
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows, only_row
from lockstep.storage.under_way import older_rival


@dataclass(frozen=True, slots=True)
class OpenOperation:
    """An operation whose outcome nobody recorded."""

    id: str
    kind: str
    source_id: str
    target_id: str
    action: str
    state: str
    attempt: int
    after: Mapping[str, Any] | None
    planned_at: datetime
    queries: Sequence[Mapping[str, str]] | None = None
    error: Mapping[str, Any] | None = None


async def journal(
    connection: Connection, job: str, rows: Sequence[Mapping[str, Any]], *, owner: str
) -> tuple[set[str], set[str]]:
    """Write operations (id, kind, source_id, target_id, cycle, action, attempt, before, after, ...) as planned.

    Returns the ids that were written, which may be sent, and those whose account another object is just getting (*match_key*).
    The leases of all others are no longer ours. Leases and rivals are asked for row by row (hence the limits): joined, a planner
    whose statistics are old reads all that is due.
    """
    cursor = await connection.execute(
        f"""with given as materialized (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, kind text, source_id uuid, target_id text,
                cycle bigint, action text, attempt bigint, before jsonb, after jsonb, ends_access boolean, grants boolean,
                empties boolean, renames boolean, decision text, match_key text,
                other_keys text[], queries jsonb)
        ), rival as (
            select given.id from given where given.match_key is not null and {older_rival("given")}
        ), written as (
            insert into operation (id, job, kind, source_id, target_id, cycle, action, state, attempt, before, after,
                ends_access, grants, empties, renames, decision, match_key, other_keys, queries)
            select given.id, %(job)s, given.kind, given.source_id, given.target_id, given.cycle, given.action, 'planned',
                given.attempt, given.before, given.after, coalesce(given.ends_access, false), coalesce(given.grants, false),
                coalesce(given.empties, false), coalesce(given.renames, false), given.decision, given.match_key,
                given.other_keys, given.queries
            from given
            where given.id not in (select rival.id from rival) and coalesce((
                select true from dirty
                where dirty.job = %(job)s and dirty.kind = given.kind and dirty.source_id = given.source_id
                    and dirty.attempt = given.attempt and dirty.lease_owner = %(owner)s and dirty.lease_until > now()
                limit 1), false)
            returning id
        )
        select id::text, true from written union all select id::text, false from rival""",  # noqa: S608
        {"job": job, "rows": as_rows(rows), "owner": owner},
    )
    found = await cursor.fetchall()
    return {row[0] for row in found if row[1]}, {row[0] for row in found if not row[1]}


async def open_operations(
    connection: Connection, job: str, kind: str, ids: Iterable[str]
) -> dict[str, list[OpenOperation]]:
    """What is open for these objects, oldest first, by directory id."""
    async with connection.cursor(row_factory=class_row(OpenOperation)) as cursor:
        await cursor.execute(
            """select id::text, kind, source_id::text, target_id, action, state, attempt, after, planned_at,
                queries, error
            from operation
            where job = %s and kind = %s and source_id = any(%s::uuid[]) and state in ('planned', 'ambiguous')
            order by planned_at""",
            (job, kind, list(ids)),
        )
        found: dict[str, list[OpenOperation]] = {}
        async for one in cursor:
            found.setdefault(one.source_id, []).append(one)
    return found


async def settle(connection: Connection, job: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record how operations ended: rows of id, state, target_id, request_count, error."""
    await connection.execute(
        """update operation set
            state = given.state,
            target_id = case when given.target_id <> '' then given.target_id else operation.target_id end,
            settled_at = case when given.state <> 'ambiguous' then clock_timestamp() end,
            request_count = operation.request_count + given.request_count,
            error = given.error
        from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, state text, target_id text, request_count integer,
            error jsonb)
        where operation.id = given.id and operation.job = %(job)s""",
        {"job": job, "rows": as_rows(rows)},
    )


async def reopen(connection: Connection, job: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """Answers that came after the object was taken over: the operations (id, target_id) happened after all.

    They are open again, and their objects are looked at; returns how many. What is confirmed already stays so.
    """
    cursor = await connection.execute(
        """with late as (
            update operation set state = 'ambiguous', settled_at = null,
                target_id = case when given.target_id <> '' then given.target_id else operation.target_id end
            from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, target_id text)
            where operation.id = given.id and operation.job = %(job)s
                and operation.state in ('planned', 'ambiguous', 'dropped')
            returning operation.kind, operation.source_id
        ), marked as (
            select mark_dirty(%(job)s, kind, array_agg(source_id), 1::smallint, 'lateAnswer') from late group by kind
        )
        select (select count(*) from late), (select count(*) from marked)""",
        {"job": job, "rows": as_rows(rows)},
    )
    return int((await only_row(cursor))[0])


async def mark_forgotten(connection: Connection) -> list[str]:
    """Mark objects with an open operation that nobody would look at; returns the jobs touched."""
    cursor = await connection.execute(
        """with forgotten as (
            select job, kind, source_id from operation
            where state in ('planned', 'ambiguous') and planned_at < now() - interval '1 minute'
                and not exists (select from dirty where dirty.job = operation.job and dirty.kind = operation.kind
                    and dirty.source_id = operation.source_id)
        ), marked as (
            select job, mark_dirty(job, kind, array_agg(source_id), 1::smallint, 'openOperation') from forgotten
            group by job, kind
        )
        select distinct job from marked"""
    )
    return [row[0] for row in await cursor.fetchall()]


async def hold(connection: Connection, job: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep operations back for approval: rows as for `journal`, with *error* saying why. One per object: the newest."""
    await connection.execute(
        """insert into operation (id, job, kind, source_id, target_id, cycle, action, state, attempt, before, after, error)
        select id, %(job)s, kind, source_id, target_id, cycle, action, 'held', attempt, before, after, error
        from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, kind text, source_id uuid, target_id text, cycle bigint,
            action text, attempt bigint, before jsonb, after jsonb, error jsonb)
        on conflict (job, kind, source_id) where state = 'held' do update set
            action = excluded.action, attempt = excluded.attempt, before = excluded.before, after = excluded.after,
            error = excluded.error, cycle = excluded.cycle""",
        {"job": job, "rows": as_rows(rows)},
    )


async def held_among(
    connection: Connection, job: str, kind: str, ids: Iterable[str]
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """For those of *ids* that wait for a decision: what is held, and why."""
    cursor = await connection.execute(
        """select source_id::text, action, coalesce(error, '{}') from operation
        where job = %s and kind = %s and source_id = any(%s::uuid[]) and state = 'held'""",
        (job, kind, list(ids)),
    )
    return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def approved_among(
    connection: Connection, job: str, kind: str, ids: Iterable[str]
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """For each of *ids* what somebody approved last, and why it was held."""
    cursor = await connection.execute(
        """select distinct on (source_id) source_id::text, action, coalesce(error, '{}') from operation
        where job = %s and kind = %s and source_id = any(%s::uuid[]) and state = 'dropped' and decision = 'approved'
        order by source_id, settled_at desc""",
        (job, kind, list(ids)),
    )
    return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def withdraw_held(connection: Connection, job: str, objects: Sequence[Mapping[str, Any]]) -> None:
    """Nobody needs to decide any more on *objects* (kind, source_id): what was held is not wanted now, or was done otherwise."""
    await connection.execute(
        """update operation set state = 'dropped', settled_at = clock_timestamp()
        from jsonb_to_recordset(%(rows)s::jsonb) as given (kind text, source_id uuid)
        where operation.job = %(job)s and operation.kind = given.kind and operation.source_id = given.source_id
            and operation.state = 'held'""",
        {"job": job, "rows": as_rows(objects)},
    )


@dataclass(frozen=True, slots=True)
class Undecided:
    """*held*: wait for a decision. *rejected*: losses of access that somebody rejected and that are still wanted: the account is live.

    *maybe_created*: creates without an answer for longer than any request takes.
    """

    held: int
    rejected: int
    maybe_created: int


async def count_undecided(connection: Connection, job: str) -> Undecided:
    cursor = await connection.execute(
        """select (select count(*) from operation where job = %(job)s and state = 'held'),
            (select count(distinct (rejected.kind, rejected.source_id)) from operation as rejected
                join link on link.job = rejected.job and link.kind = rejected.kind and link.source_id = rejected.source_id
                    and link.state = 'live'
                where rejected.job = %(job)s and rejected.decision = 'rejected' and rejected.rejection_ended_at is null
                    and (rejected.action in ('disable', 'delete') or rejected.error ->> 'code' = 'TooManyDeletes')),
            (select count(*) from operation where job = %(job)s and state in ('planned', 'ambiguous') and action = 'create'
                and planned_at < now() - interval '1 minute')""",
        {"job": job},
    )
    return Undecided(*await only_row(cursor))


async def decide_held(
    connection: Connection, job: str, *, decision: str, actor: str, ids: Sequence[str] | None = None
) -> int:
    """Approve or reject what is held (all of it without *ids*); returns how many.

    Approved objects become dirty again and pass the guard once. What is rejected is not sent until something else is planned for its
    object; what was rejected of it before counts no more.
    """
    given = {"job": job, "decision": decision, "actor": actor, "ids": None if ids is None else list(ids)}
    # As a drain does: the rows of the objects first, in their order, then what was planned for them.
    await connection.execute(
        """select from dirty join operation using (job, kind, source_id)
        where dirty.job = %(job)s and operation.state = 'held'
            and (%(ids)s::uuid[] is null or operation.id = any(%(ids)s::uuid[]))
        order by dirty.kind, dirty.source_id for update of dirty""",
        given,
    )
    cursor = await connection.execute(
        """with decided as (
            update operation set state = 'dropped', decision = %(decision)s, decided_by = %(actor)s,
                settled_at = clock_timestamp()
            where job = %(job)s and state = 'held' and (%(ids)s::uuid[] is null or id = any(%(ids)s::uuid[]))
            returning kind, source_id
        ), marked as (
            update dirty set
                reasons = array['approved'], not_before = '-infinity', version = nextval('dirty_version')
            from decided
            where %(decision)s = 'approved' and dirty.job = %(job)s and dirty.kind = decided.kind
                and dirty.source_id = decided.source_id
            returning 1
        ), forgotten as (
            delete from dirty using decided
            where %(decision)s = 'rejected' and dirty.job = %(job)s and dirty.kind = decided.kind
                and dirty.source_id = decided.source_id and dirty.not_before = 'infinity'
            returning 1
        ), ended as (
            update operation set rejection_ended_at = clock_timestamp() from decided
            where operation.job = %(job)s and operation.kind = decided.kind and operation.source_id = decided.source_id
                and operation.decision = 'rejected' and operation.rejection_ended_at is null
            returning 1
        )
        select count(*) from decided""",
        given,
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def guarded_counts(connection: Connection, job: str, *, cycle: int | None) -> Counts:
    """What the guards count: what was sent lately without somebody's approval, against how many links there are."""
    cursor = await connection.execute(
        """select part.name, sum(losses), sum(grants), sum(empties), sum(renames), sum(creates), sum(new_grants)
        from (
            select (action in ('disable', 'delete') or ends_access)::integer as losses, grants::integer, empties::integer,
                renames::integer, (action = 'create')::integer as creates,
                (grants and action = 'create')::integer as new_grants,
                planned_at > now() - interval '1 hour' as in_hour, coalesce(cycle = %(cycle)s, false) as in_cycle
            from operation
            where job = %(job)s and state in ('planned', 'confirmed', 'ambiguous') and decision is null
                and (action in ('disable', 'delete', 'create') or ends_access or grants or empties or renames)
                and planned_at > now() - interval '24 hours'
        ) as guarded,
        lateral (values ('cycle', in_cycle), ('hour', in_hour), ('day', true)) as part (name, counts)
        where part.counts group by part.name""",
        {"job": job, "cycle": cycle},
    )
    found = {str(name): Tally(*map(int, numbers)) for name, *numbers in await cursor.fetchall()}
    live = await connection.execute(
        """select count(*) from link where job = %s and state in ('live', 'disabled', 'tombstone')
            and (state <> 'tombstone' or updated_at > now() - interval '24 hours')""",
        (job,),
    )
    cycle_tally, hour, day = (found.get(name, Tally()) for name in ("cycle", "hour", "day"))
    return Counts(cycle_tally, hour, day, int((await only_row(live))[0]))
