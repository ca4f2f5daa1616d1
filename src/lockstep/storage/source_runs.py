"""The runs of a source: what each import changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json

MOST_KEPT = 200  # runs of a source


@dataclass(frozen=True, slots=True)
class RunRow:
    """One import of a source. *passes* has the results for people, groups and members as JSON. *failure* says why the import ended
    early, or is "".
    """

    id: int
    source: str
    at: datetime
    actor: str
    file_name: str
    passes: Sequence[Mapping[str, Any]]
    failure: str


async def append(
    connection: Connection,
    source: str,
    *,
    actor: str,
    file_name: str = "",
    passes: Sequence[Mapping[str, Any]] = (),
    failure: str = "",
) -> int:
    """Append a run and return its number. Only the newest runs of a source are kept."""
    cursor = await connection.execute(
        "insert into source_run (source, actor, file_name, passes, failure) values (%s, %s, %s, %s, %s) returning id",
        (source, actor, file_name, as_json(passes), failure),
    )
    row = await cursor.fetchone()
    await connection.execute(
        """delete from source_run where source = %(source)s and id <=
        (select id from source_run where source = %(source)s order by id desc offset %(kept)s limit 1)""",
        {"source": source, "kept": MOST_KEPT},
    )
    return int(row[0]) if row else 0


async def list_runs(connection: Connection, source: str, *, before: int = 0, limit: int = 20) -> list[RunRow]:
    """Return runs, newest first. If *before* is not 0, only runs with smaller numbers are returned."""
    async with connection.cursor(row_factory=class_row(RunRow)) as cursor:
        await cursor.execute(
            """select id, source, at, actor, file_name, passes, failure from source_run
            where source = %s and (%s = 0 or id < %s) order by id desc limit %s""",
            (source, before, before, limit),
        )
        return await cursor.fetchall()


async def read_run(connection: Connection, source: str, run: int) -> RunRow | None:
    async with connection.cursor(row_factory=class_row(RunRow)) as cursor:
        await cursor.execute(
            """select id, source, at, actor, file_name, passes, failure from source_run
            where source = %s and id = %s""",
            (source, run),
        )
        return await cursor.fetchone()
