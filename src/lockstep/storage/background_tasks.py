"""Background work that continues after its request was answered: its progress, and its result or error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One background task. *phase* names the present step, such as "people". *fraction* is None if the total is unknown. *beat_at* is
    when the task's process last reported progress.
    """

    id: str
    kind: str
    target: str
    resource: str
    actor: str
    phase: str
    done: int
    fraction: float | None
    created_at: datetime
    beat_at: datetime
    ended_at: datetime | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None


async def insert(connection: Connection, task: str, *, kind: str, target: str, resource: str, actor: str) -> None:
    await connection.execute(
        "insert into background_task (id, kind, target, resource, actor) values (%s, %s, %s, %s, %s)",
        (task, kind, target, resource, actor),
    )


async def read(connection: Connection, task: str, *, actor: str) -> TaskRow | None:
    """Return the task if *actor* started it, otherwise None."""
    async with connection.cursor(row_factory=class_row(TaskRow)) as cursor:
        await cursor.execute(
            """select id::text, kind, target, resource, actor, phase, done, fraction, created_at, beat_at, ended_at, result, error
            from background_task where id = %s and actor = %s""",
            (task, actor),
        )
        return await cursor.fetchone()


async def save_progress(connection: Connection, task: str, *, phase: str, done: int, fraction: float | None) -> None:
    await connection.execute(
        "update background_task set phase = %s, done = %s, fraction = %s, beat_at = now() where id = %s and ended_at is null",
        (phase, done, fraction, task),
    )


async def save_end(
    connection: Connection, task: str, *, result: Mapping[str, Any] | None, error: Mapping[str, Any] | None
) -> None:
    await connection.execute(
        "update background_task set result = %s, error = %s, ended_at = now(), beat_at = now() where id = %s",
        (None if result is None else as_json(result), None if error is None else as_json(error), task),
    )
