"""Writes that a guard holds and writes that an administrator rejected, with names and details for the person who decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.engine.plans import GuardCode
from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.rejections import STANDS


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

    @property
    def guard(self) -> GuardCode:
        """The guard that holds the write back."""
        return GuardCode(self.error.get("guard", GuardCode.LOSSES))


async def jobs_that_hold(
    connection: Connection, jobs: Sequence[str], kind: ObjectKind, source_id: str
) -> frozenset[str]:
    """Return those of *jobs* in which a write of the object waits for a decision."""
    cursor = await connection.execute(
        "select job from operation where state = 'held' and job = any(%s) and kind = %s and source_id = %s",
        (list(jobs), kind, source_id),
    )
    return frozenset(row[0] for row in await cursor.fetchall())


async def held_operations(
    connection: Connection, job: str, *, source_id: str | None = None, rejected: bool = False
) -> list[HeldOperation]:
    """Return the writes that wait for a decision or, with *rejected*, those whose rejection is in force; oldest first. If *source_id* is
    given, return only the writes of this object.
    """
    which = STANDS if rejected else "state = 'held'"
    async with connection.cursor(row_factory=class_row(HeldOperation)) as cursor:
        await cursor.execute(
            f"""select operation.id::text, operation.kind, operation.source_id::text, coalesce(link.display, '') as display,
                operation.target_id, operation.action, coalesce(operation.error, '{{}}') as error, operation.planned_at
            from (
                select distinct on (kind, source_id) * from operation
                where job = %(job)s and {which} and (%(source_id)s::uuid is null or source_id = %(source_id)s::uuid)
                order by kind, source_id, settled_at desc
            ) as operation
            left join link on link.job = operation.job and link.kind = operation.kind
                and link.source_id = operation.source_id
            order by operation.planned_at, operation.id""",  # noqa: S608
            {"job": job, "source_id": source_id},
        )
        return await cursor.fetchall()
