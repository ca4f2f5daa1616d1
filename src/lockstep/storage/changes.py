"""The change feed: what happened to the directory, in order."""

# ruff: noqa: S608  # statements are built from constants of this module
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One entry of the feed. *before* and *after* contain only the changed attributes."""

    seq: int
    at: datetime
    kind: str
    object_id: str
    what: str
    changed: Sequence[str]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    actor: str


_COLUMNS = "seq, at, kind, object_id::text, what, changed, before, after, actor"


async def append_changes(connection: Connection, rows: Iterable[Mapping[str, Any]], *, actor: str) -> None:
    """Append to the feed. *rows* have kind, object_id, what, changed, before, after."""
    await connection.execute(
        """insert into change (kind, object_id, what, changed, before, after, actor)
        select kind, object_id, what, coalesce(changed, '{}'), before, after, %(actor)s
        from rows from (jsonb_to_recordset(%(rows)s::jsonb)
            as (kind text, object_id uuid, what text, changed text[], before jsonb, after jsonb)) with ordinality
            as given (kind, object_id, what, changed, before, after, place)
        order by place""",
        {"rows": as_rows(rows), "actor": actor},
    )


async def latest_before(connection: Connection, object_id: str, at: datetime) -> ChangeRow | None:
    """Return the newest change of an object that was made at *at* or earlier."""
    async with connection.cursor(row_factory=class_row(ChangeRow)) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from change where object_id = %s and at <= %s order by seq desc limit 1",
            (object_id, at),
        )
        return await cursor.fetchone()


async def history_of(
    connection: Connection,
    object_id: str,
    *,
    limit: int = 100,
    after: datetime | None = None,
    before: datetime | None = None,
) -> list[ChangeRow]:
    """Return the changes of one object, newest first: those at *after* or later, and earlier than *before*."""
    async with connection.cursor(row_factory=class_row(ChangeRow)) as cursor:
        await cursor.execute(
            f"""select {_COLUMNS} from change where object_id = %(id)s
                and (%(before)s::timestamptz is null or at < %(before)s) and (%(after)s::timestamptz is null or at >= %(after)s)
            order by at desc, seq desc limit %(limit)s""",
            {"id": object_id, "before": before, "after": after, "limit": limit},
        )
        return await cursor.fetchall()
