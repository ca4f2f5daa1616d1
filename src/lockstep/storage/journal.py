"""The journal as a drain writes it: operations about to be sent, the outcome of each, and operations held for approval.

An operation counts as possibly sent as soon as it is in the journal. Every entry is therefore written before its request is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.engine.decisions.matching import MatchQuery
from lockstep.engine.plans import GuardCode
from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import Row, as_rows, only_row


@dataclass(frozen=True, slots=True)
class HoldReason:
    """The reason why a write waits for approval. *guard* is the guard that holds the write, and *reason* is the guard's reason. *why* and
    *cause* are the reason and the cause of the plan.

    *effects* are the effects that are limited by guards, as pairs of code and value. A later plan with the same effects counts as the same
    write.
    """

    guard: GuardCode
    reason: str
    display: str
    details: Mapping[str, str]
    grants: tuple[str, ...]
    why: str
    cause: str
    effects: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One operation as the journal stores it. *before* and *after* map the path of each changed value to the value. Redacted values are
    left out.

    *match_keys* are the keys under which a created account can be found; another create with one of these keys must wait. *queries* search
    for the account if the response is lost. *matched_by* names the attribute that found the account, if the operation writes to an account
    without a link. *held* is set if the operation waits for approval.
    """

    id: str
    kind: ObjectKind
    source_id: str
    target_id: str
    cycle: int | None
    action: str
    attempt: int
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    ends_access: bool = False
    grants: bool = False
    empties: bool = False
    renames: bool = False
    decision: str | None = None
    match_keys: tuple[str, ...] = ()
    queries: tuple[MatchQuery, ...] = ()
    matched_by: str = ""
    held: HoldReason | None = None


@dataclass(frozen=True, slots=True)
class OperationError:
    """The error of an operation that was not confirmed. *status* is the HTTP status, or None if there was no response.

    *is_conflict* is true if another account in the application has one of the values.
    """

    code: str
    detail: str
    status: int | None
    is_conflict: bool = False


@dataclass(frozen=True, slots=True)
class SettledOperation:
    """The outcome of an operation: confirmed, refused, dropped (not sent, or without effect), or ambiguous. An ambiguous operation stays
    open.
    """

    id: str
    state: str
    target_id: str = ""
    request_count: int = 0
    error: OperationError | None = None


async def write_entries(connection: Connection, job: str, entries: Sequence[JournalEntry], *, owner: str) -> set[str]:
    """Write operations with the status "planned". Returns the ids of the written operations, which may be sent. An operation is not written
    if its object's lease was lost.

    The LIMIT makes PostgreSQL look up leases row by row. With a join, a planner with outdated statistics would read everything that is due.
    """
    cursor = await connection.execute(
        """insert into operation (id, job, kind, source_id, target_id, cycle, action, state, attempt, before, after,
            ends_access, grants, empties, renames, decision, match_key, other_keys, queries, matched_by)
        select given.id, %(job)s, given.kind, given.source_id, given.target_id, given.cycle, given.action, 'planned',
            given.attempt, given.before, given.after, given.ends_access, given.grants,
            given.empties, given.renames, given.decision, given.match_key,
            given.other_keys, given.queries, given.matched_by
        from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, kind text, source_id uuid, target_id text,
            cycle bigint, action text, attempt bigint, before jsonb, after jsonb, ends_access boolean, grants boolean,
            empties boolean, renames boolean, decision text, match_key text,
            other_keys text[], queries jsonb, matched_by text)
        where coalesce((
            select true from dirty
            where dirty.job = %(job)s and dirty.kind = given.kind and dirty.source_id = given.source_id
                and dirty.attempt = given.attempt and dirty.lease_owner = %(owner)s and dirty.lease_until > now()
            limit 1), false)
        returning id::text""",
        {"job": job, "rows": as_rows(map(_row, entries)), "owner": owner},
    )
    return {row[0] for row in await cursor.fetchall()}


async def settle(connection: Connection, job: str, settled: Sequence[SettledOperation]) -> None:
    """Record the outcomes of operations."""
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
        {"job": job, "rows": as_rows(settled)},
    )


async def reopen(connection: Connection, job: str, late: Sequence[SettledOperation]) -> int:
    """Reopen operations that took effect, but whose response arrived only after another worker had taken over the object. The objects of
    these operations are marked dirty.

    Returns how many operations were reopened. Confirmed operations stay confirmed.
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
        {"job": job, "rows": as_rows(late)},
    )
    return int((await only_row(cursor))[0])


async def hold(connection: Connection, job: str, entries: Sequence[JournalEntry]) -> None:
    """Store operations as held for approval. Each object keeps only its newest held operation."""
    await connection.execute(
        """insert into operation (id, job, kind, source_id, target_id, cycle, action, state, attempt, before, after, error)
        select id, %(job)s, kind, source_id, target_id, cycle, action, 'held', attempt, before, after, error
        from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, kind text, source_id uuid, target_id text, cycle bigint,
            action text, attempt bigint, before jsonb, after jsonb, error jsonb)
        on conflict (job, kind, source_id) where state = 'held' do update set
            action = excluded.action, attempt = excluded.attempt, before = excluded.before, after = excluded.after,
            error = excluded.error, cycle = excluded.cycle""",
        {"job": job, "rows": as_rows(map(_row, entries))},
    )


def _row(entry: JournalEntry) -> Row:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "source_id": entry.source_id,
        "target_id": entry.target_id,
        "cycle": entry.cycle,
        "action": entry.action,
        "attempt": entry.attempt,
        "before": entry.before,
        "after": entry.after,
        "ends_access": entry.ends_access,
        "grants": entry.grants,
        "empties": entry.empties,
        "renames": entry.renames,
        "decision": entry.decision,
        "match_key": entry.match_keys[0] if entry.match_keys else None,
        "other_keys": entry.match_keys[1:] or None,
        "queries": [{"attribute": one.attribute, "value": one.value} for one in entry.queries] or None,
        "matched_by": entry.matched_by,
        "error": entry.held,
    }
