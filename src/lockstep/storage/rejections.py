"""Rejections in force: writes that an administrator decided not to send. Guards read them. A rejection can be ended, and the rejected write
can be approved.

Only the newest rejection of an object counts. Ending it also ends the earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lockstep.engine.decisions.rejections import GuardedEffects, Rejection
from lockstep.engine.plans import GuardCode
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows
from lockstep.storage.dirty import Claim

STANDS = "decision = 'rejected' and rejection_ended_at is null"


async def rejections_among(connection: Connection, job: str, kind: str, ids: Iterable[str]) -> dict[str, Rejection]:
    """Return the rejections in force for the objects in *ids* whose newest decision is a rejection."""
    cursor = await connection.execute(
        f"""select distinct on (source_id) source_id::text, action, error -> 'effects', error ->> 'guard', decided_by, settled_at
        from operation
        where job = %s and kind = %s and source_id = any(%s::uuid[]) and {STANDS}
        order by source_id, settled_at desc""",  # noqa: S608
        (job, kind, list(ids)),
    )
    return {
        # For rows older than the effects column, the guard counts as the only effect. It has the same type as later effects, but never
        # equals one.
        source_id: Rejection(action, _effects(effects or [(guard, "")]), by or "", at)
        async for source_id, action, effects, guard, by, at in cursor
    }


def _effects(pairs: Iterable[tuple[str | None, str]]) -> GuardedEffects:
    return frozenset((GuardCode(guard), effect) for guard, effect in pairs if guard)


async def end_rejections(connection: Connection, job: str, claims: Iterable[Claim]) -> None:
    """End the rejections in force for these objects."""
    await connection.execute(
        f"""update operation set rejection_ended_at = clock_timestamp()
        from jsonb_to_recordset(%(rows)s::jsonb) as given (kind text, source_id uuid)
        where operation.job = %(job)s and operation.kind = given.kind and operation.source_id = given.source_id
            and {STANDS}""",  # noqa: S608
        {"job": job, "rows": as_rows({"kind": one.kind, "source_id": one.source_id} for one in claims)},
    )


async def approve_rejected(
    connection: Connection, job: str, *, actor: str, ids: Sequence[str] | None = None
) -> list[str]:
    """Approve the rejected operations whose ids are in *ids*, or all rejected operations if *ids* is None. Returns the id of one operation
    for each object.

    The objects become dirty. The guards let the approved effects of these objects pass once.
    """
    cursor = await connection.execute(
        f"""with approved as (
            update operation set decision = 'approved', decided_by = %(actor)s, settled_at = clock_timestamp()
            where job = %(job)s and {STANDS} and (%(ids)s::uuid[] is null or id = any(%(ids)s::uuid[]))
            returning id, kind, source_id, action
        ), objects as (
            select max(id::text) as id, kind, source_id, min(case when action in ('disable', 'delete') then 1 else 4 end) as lane
            from approved group by kind, source_id
        ), marked as (
            insert into dirty (job, kind, source_id, lane, reasons)
            select %(job)s, kind, source_id, lane, array['approved'] from objects order by kind, source_id
            on conflict (job, kind, source_id) do update set
                reasons = array['approved'], not_before = '-infinity', version = nextval('dirty_version')
            returning 1
        )
        select id from objects""",  # noqa: S608
        {"job": job, "actor": actor, "ids": None if ids is None else list(ids)},
    )
    return [row[0] for row in await cursor.fetchall()]
