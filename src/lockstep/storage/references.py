"""Waiting references: attributes that refer to an object which has no account yet. Their holders are evaluated again when that object gets
an account.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows


@dataclass(frozen=True, slots=True)
class WaitingReference:
    """A reference that waits: *attribute* of the object *holder* must point to *missing*, which has no account yet. *holder* and
    *missing* are directory ids.
    """

    kind: ObjectKind
    holder: str
    attribute: str
    missing: str


async def replace_waiting(
    connection: Connection, job: str, holders: Iterable[str], waiting: Sequence[WaitingReference]
) -> None:
    """Replace the waiting references of *holders* with *waiting*."""
    await connection.execute(
        "delete from waiting_reference where job = %s and holder = any(%s::uuid[])", (job, list(holders))
    )
    if waiting:
        await connection.execute(
            """insert into waiting_reference (job, kind, holder, attribute, missing)
            select %(job)s, kind, holder, attribute, missing
            from jsonb_to_recordset(%(rows)s::jsonb) as given (kind text, holder uuid, attribute text, missing uuid)
            on conflict do nothing""",
            {"job": job, "rows": as_rows(waiting)},
        )


async def wake_ready(connection: Connection, job: str, holders: Sequence[str]) -> None:
    """Mark dirty those *holders* that wait for an object which has been linked in the meantime."""
    await connection.execute(
        """select mark_dirty(%(job)s, waiting.kind, array_agg(waiting.holder), 5::smallint, 'reference')
        from waiting_reference as waiting
        join link on link.job = waiting.job and link.source_id = waiting.missing and link.state in ('live', 'disabled')
        where waiting.job = %(job)s and waiting.holder = any(%(holders)s::uuid[])
        group by waiting.kind""",
        {"job": job, "holders": list(holders)},
    )


async def wake_holders(connection: Connection, job: str, linked: Sequence[str]) -> int:
    """Mark dirty the objects that waited for one of *linked*. Returns how many were marked."""
    cursor = await connection.execute(
        """select coalesce(sum(marked), 0) from (
            select mark_dirty(%(job)s, kind, array_agg(holder), 5::smallint, 'reference') as marked
            from waiting_reference
            where job = %(job)s and missing = any(%(linked)s::uuid[])
            group by kind
        ) as woken""",
        {"job": job, "linked": list(linked)},
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0
