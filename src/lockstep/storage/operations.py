"""The journal: operations that may have been sent, written before they are sent.

An operation in the journal counts as possibly sent. A worker that finds an open operation first checks in the application whether it took
effect, before doing anything else with its object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from lockstep.engine.plans import GuardCode
from lockstep.engine.records import Action
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows
from lockstep.storage.dirty import Claim


@dataclass(frozen=True, slots=True)
class OpenOperation:
    """An operation whose outcome is not recorded yet."""

    id: str
    kind: str
    source_id: str
    target_id: str
    action: str
    state: str
    attempt: int
    after: Mapping[str, Any] | None
    planned_at: datetime
    age: timedelta  # by the clock of the database: that of this machine may differ
    queries: Sequence[Mapping[str, str]] | None = None
    error: Mapping[str, Any] | None = None
    matched_by: str = ""


async def open_operations(
    connection: Connection, job: str, kind: str, ids: Iterable[str]
) -> dict[str, list[OpenOperation]]:
    """Return the open operations of these objects, oldest first, by directory id."""
    async with connection.cursor(row_factory=class_row(OpenOperation)) as cursor:
        await cursor.execute(
            """select id::text, kind, source_id::text, target_id, action, state, attempt, after, planned_at,
                clock_timestamp() - planned_at as age, queries, error, matched_by
            from operation
            where job = %s and kind = %s and source_id = any(%s::uuid[]) and state in ('planned', 'ambiguous')
            order by planned_at""",
            (job, kind, list(ids)),
        )
        found: dict[str, list[OpenOperation]] = {}
        async for one in cursor:
            found.setdefault(one.source_id, []).append(one)
    return found


async def mark_forgotten(connection: Connection) -> list[str]:
    """Mark objects dirty that are not in the dirty set although one of their operations has been open for more than a minute. Returns the
    affected jobs.
    """
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


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """A plan that a guard held, whether or not it has been approved since. *sentence* and *details* are the guard's reason.

    *effects* are the effects that are limited by guards; rows written by older versions have none.
    """

    action: Action
    guard: GuardCode
    sentence: str
    details: Mapping[str, str]
    effects: frozenset[tuple[GuardCode, str]]


def _guarded(action: str, error: Mapping[str, Any]) -> HeldPlan:
    return HeldPlan(
        Action(action),
        GuardCode(error.get("guard", GuardCode.LOSSES)),
        str(error.get("reason", "Held for approval.")),
        error.get("details", {}),
        frozenset((GuardCode(guard), effect) for guard, effect in error.get("effects") or ()),
    )


async def held_among(connection: Connection, job: str, kind: str, ids: Iterable[str]) -> dict[str, HeldPlan]:
    """Return the held write that waits for a decision, for each object in *ids* that has one."""
    cursor = await connection.execute(
        """select source_id::text, action, coalesce(error, '{}') from operation
        where job = %s and kind = %s and source_id = any(%s::uuid[]) and state = 'held'""",
        (job, kind, list(ids)),
    )
    return {row[0]: _guarded(row[1], row[2]) for row in await cursor.fetchall()}


async def approved_among(connection: Connection, job: str, kind: str, ids: Iterable[str]) -> dict[str, HeldPlan]:
    """Return the newest approved write for each object in *ids* that has one."""
    cursor = await connection.execute(
        """select distinct on (source_id) source_id::text, action, coalesce(error, '{}') from operation
        where job = %s and kind = %s and source_id = any(%s::uuid[]) and state = 'dropped' and decision = 'approved'
            and decided_by is not null  -- what was sent because of the approval and not carried out is no decision
        order by source_id, settled_at desc""",
        (job, kind, list(ids)),
    )
    return {row[0]: _guarded(row[1], row[2]) for row in await cursor.fetchall()}


async def withdraw_held(connection: Connection, job: str, claims: Iterable[Claim]) -> None:
    """Withdraw the held operations of these objects, because the operations are no longer wanted or another write has had the same
    effect.
    """
    await connection.execute(
        """update operation set state = 'dropped', settled_at = clock_timestamp()
        from jsonb_to_recordset(%(rows)s::jsonb) as given (kind text, source_id uuid)
        where operation.job = %(job)s and operation.kind = given.kind and operation.source_id = given.source_id
            and operation.state = 'held'""",
        {"job": job, "rows": as_rows({"kind": one.kind, "source_id": one.source_id} for one in claims)},
    )


@dataclass(frozen=True, slots=True)
class UndecidedCounts:
    """The numbers of operations that need a person's attention.

    *held* counts operations that wait for a decision. *rejected* counts objects that keep a live account because somebody rejected their
    loss of access. *maybe_created* counts creates that have been open for longer than any request takes.
    """

    held: int
    rejected: int
    maybe_created: int


async def count_undecided(connection: Connection, jobs: Sequence[str]) -> dict[str, UndecidedCounts]:
    """Return, for each of *jobs*, the numbers of operations and objects that need a person's attention."""
    cursor = await connection.execute(
        """select wanted.job, (select count(*) from operation where job = wanted.job and state = 'held'),
            (select count(distinct (rejected.kind, rejected.source_id)) from operation as rejected
                join link on link.job = rejected.job and link.kind = rejected.kind and link.source_id = rejected.source_id
                    and link.state = 'live'
                where rejected.job = wanted.job and rejected.decision = 'rejected' and rejected.rejection_ended_at is null
                    and (rejected.action in ('disable', 'delete') or rejected.error ->> 'guard' = 'TooManyDeletes')),
            (select count(*) from operation where job = wanted.job and state in ('planned', 'ambiguous') and action = 'create'
                and planned_at < now() - interval '1 minute')
        from unnest(%s::text[]) as wanted (job)""",
        (list(jobs),),
    )
    return {row[0]: UndecidedCounts(*row[1:]) for row in await cursor.fetchall()}


async def decide_held(
    connection: Connection, job: str, *, decision: str, actor: str, ids: Sequence[str] | None = None
) -> list[str]:
    """Approve or reject the held operations in *ids*, or all held operations if *ids* is None. Returns the ids of the operations that were
    decided.

    The objects of approved operations become due at once, and the guard lets their writes pass once. A rejection stays in force until a
    different write is planned for the object. A new decision ends all earlier rejections of the same object.
    """
    given = {"job": job, "decision": decision, "actor": actor, "ids": None if ids is None else list(ids)}
    await _lock_undecided(connection, given)
    cursor = await connection.execute(
        """with decided as (
            update operation set state = 'dropped', decision = %(decision)s, decided_by = %(actor)s,
                settled_at = clock_timestamp()
            where job = %(job)s and state = 'held' and (%(ids)s::uuid[] is null or id = any(%(ids)s::uuid[]))
            returning id, kind, source_id
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
        select id::text from decided""",
        given,
    )
    return [row[0] for row in await cursor.fetchall()]


async def _lock_undecided(connection: Connection, given: Mapping[str, Any]) -> None:
    """Lock the objects of held operations before the operations themselves, as a drain does.

    Plans already being made for these objects are not recorded, because they began before the decision and would hold the write again.
    """
    await connection.execute(
        """select from dirty join operation using (job, kind, source_id)
        where dirty.job = %(job)s and operation.state = 'held'
            and (%(ids)s::uuid[] is null or operation.id = any(%(ids)s::uuid[]))
        order by dirty.kind, dirty.source_id for update of dirty""",
        given,
    )
    await connection.execute(
        """update dirty set attempt = nextval('dirty_attempt') from operation
        where dirty.job = %(job)s and dirty.lease_until is not null and operation.job = dirty.job
            and operation.kind = dirty.kind and operation.source_id = dirty.source_id and operation.state = 'held'
            and (%(ids)s::uuid[] is null or operation.id = any(%(ids)s::uuid[]))""",
        given,
    )
