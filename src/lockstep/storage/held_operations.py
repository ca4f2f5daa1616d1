"""Writes that a guard holds back, and those that somebody rejected, as a person who decides or asks reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class HeldOperation:
    """A write that waits for a decision."""

    id: str
    kind: str
    source_id: str
    display: str
    target_id: str
    action: str
    error: Mapping[str, Any]
    planned_at: datetime


async def held_operations(connection: Connection, job: str, *, source_id: str | None = None) -> list[HeldOperation]:
    """What waits for a decision, oldest first; of one object where *source_id* is given."""
    async with connection.cursor(row_factory=class_row(HeldOperation)) as cursor:
        await cursor.execute(
            """select operation.id::text, operation.kind, operation.source_id::text, coalesce(link.display, '') as display,
                operation.target_id, operation.action, coalesce(operation.error, '{}') as error, operation.planned_at
            from operation
            left join link on link.job = operation.job and link.kind = operation.kind
                and link.source_id = operation.source_id
            where operation.job = %(job)s and operation.state = 'held'
                and (%(source_id)s::uuid is null or operation.source_id = %(source_id)s::uuid)
            order by operation.planned_at, operation.id""",
            {"job": job, "source_id": source_id},
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class RejectedOperation:
    """A write that somebody rejected, and that nothing has brought up again since."""

    action: str
    decided_by: str
    decided_at: datetime


async def rejected_for(connection: Connection, job: str, kind: str, source_id: str) -> RejectedOperation | None:
    """What was rejected for this object last, while it counts."""
    async with connection.cursor(row_factory=class_row(RejectedOperation)) as cursor:
        await cursor.execute(
            """select action, coalesce(decided_by, '') as decided_by, settled_at as decided_at from operation
            where job = %(job)s and kind = %(kind)s and source_id = %(id)s::uuid and decision = 'rejected'
                and not exists (select from change where change.object_id = operation.source_id
                    and change.at > operation.settled_at)
                and not exists (select from cycle where cycle.job = operation.job and cycle.kind = 'initial'
                    and cycle.started_at > operation.settled_at)
            order by settled_at desc limit 1""",
            {"job": job, "kind": kind, "id": source_id},
        )
        return await cursor.fetchone()
