"""Cycles: a cycle counts the work of one pass over a job's objects. At most one cycle runs per job.

A cycle never decides what happens to an object; it only counts. It ends when no dirty row belongs to it any longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from lockstep.errors import Kind, LockstepError
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json, only_row
from lockstep.storage.dirty_marks import make_left_due, release_cycle
from lockstep.storage.notices import Topic, notify


@dataclass(frozen=True, slots=True)
class Cycle:
    id: int
    job: str
    kind: str
    state: str
    phase: str
    config_version: int
    started_at: datetime
    ended_at: datetime | None
    total: int
    done: int
    requests: int
    counts: Mapping[str, int]
    error: Mapping[str, Any] | None
    preview: int | None = None  # the preview that the cycle applies

    @property
    def has_fixed_total(self) -> bool:
        """Whether the total is known from the start. An initial cycle marks all objects before it writes; other cycles count objects as
        they claim them.
        """
        return self.kind == "initial" and self.phase not in ("source", "scope")


_SELECT = """select id, job, kind, state, phase, config_version, started_at, ended_at, total, done, requests, counts, error,
    preview from cycle """


async def running_cycle(connection: Connection, job: str) -> Cycle | None:
    return await _read(connection, "where job = %s and state = 'running' and kind <> 'onDemand'", (job,))


async def read_cycle(connection: Connection, cycle: int) -> Cycle | None:
    return await _read(connection, "where id = %s", (cycle,))


async def latest_cycles(connection: Connection, job: str, *, limit: int = 10, below: int = 0) -> list[Cycle]:
    """Return the newest cycles of *job*, newest first. With *below*, return only cycles with smaller numbers."""
    async with connection.cursor(row_factory=class_row(Cycle)) as cursor:
        await cursor.execute(
            _SELECT + "where job = %(job)s and (%(below)s = 0 or id < %(below)s) order by id desc limit %(limit)s",
            {"job": job, "below": below, "limit": limit},
        )
        return await cursor.fetchall()


async def running_and_last(connection: Connection, jobs: Sequence[str]) -> dict[str, tuple[Cycle | None, Cycle | None]]:
    """Return, for each job, the running cycle and the newest one that has ended. On-demand runs do not count."""
    async with connection.cursor(row_factory=class_row(Cycle)) as cursor:
        await cursor.execute(
            _SELECT  # noqa: S608
            + """where id in (select shown.id from unnest(%s::text[]) as wanted (job), lateral (
                (select id from cycle where job = wanted.job and state = 'running' and kind <> 'onDemand')
                union all
                (select id from cycle where job = wanted.job and ended_at is not null and kind <> 'onDemand'
                    order by id desc limit 1)) as shown)""",
            (list(jobs),),
        )
        found = await cursor.fetchall()
    running = {one.job: one for one in found if one.ended_at is None}
    last = {one.job: one for one in found if one.ended_at is not None}
    return {job: (running.get(job), last.get(job)) for job in jobs}


async def _read(connection: Connection, condition: str, parameters: tuple[Any, ...]) -> Cycle | None:
    async with connection.cursor(row_factory=class_row(Cycle)) as cursor:
        await cursor.execute(_SELECT + condition, parameters)
        return await cursor.fetchone()


async def open_cycle(
    connection: Connection, job: str, kind: str, *, phase: str = "write", preview: int | None = None
) -> tuple[Cycle, bool]:
    """Return the running cycle of *job* or, if there is none, a new cycle of *kind*. The second result is true if the cycle is new.

    With *preview*, a new cycle applies that preview.
    """
    cursor = await connection.execute(
        """insert into cycle (job, kind, phase, preview, config_version)
        select id, %s, %s, %s, config_version from job where id = %s
        on conflict (job) where state = 'running' and kind <> 'onDemand' do nothing""",
        (kind, phase, preview, job),
    )
    is_new = cursor.rowcount == 1
    if is_new:
        await notify(connection, Topic.CYCLE, job=job)
    cycle = await running_cycle(connection, job)
    if cycle is None:
        raise LockstepError(
            Kind.INTERNAL, f"There is no job {job}", next_step="List the applications: lockstep apps list"
        )
    return cycle, is_new


async def open_on_demand(connection: Connection, job: str) -> int:
    """Open the cycle record of one on-demand run and return its number."""
    cursor = await connection.execute(
        "insert into cycle (job, kind, phase, config_version) select id, 'onDemand', 'write', config_version from job "
        "where id = %s returning id",
        (job,),
    )
    return int((await only_row(cursor, f"There is no job {job}"))[0])


async def close_on_demand(connection: Connection, cycle: int) -> None:
    """End an on-demand run. Its unfinished objects are then no longer part of a cycle."""
    await release_cycle(connection, cycle)
    await connection.execute(
        """update cycle set ended_at = clock_timestamp(), phase = 'done', total = done, state = case
            when coalesce((counts ->> 'failed')::bigint, 0) > 0 then 'entryLevelErrors' else 'succeeded' end
        where id = %s and state = 'running'""",
        (cycle,),
    )


async def end_abandoned(connection: Connection, *, older_than: timedelta) -> int:
    """End the on-demand runs that are older than *older_than*, because their process must have died. Returns how many were ended."""
    cursor = await connection.execute(
        "select id from cycle where state = 'running' and kind = 'onDemand' and started_at < now() - %s", (older_than,)
    )
    abandoned = [row[0] for row in await cursor.fetchall()]
    for cycle in abandoned:
        await close_on_demand(connection, cycle)
    return len(abandoned)


async def set_phase(connection: Connection, cycle: int, phase: str) -> None:
    cursor = await connection.execute(
        "update cycle set phase = %s where id = %s and state = 'running' returning job", (phase, cycle)
    )
    if (row := await cursor.fetchone()) is not None:
        await notify(connection, Topic.CYCLE, job=row[0])


async def note_trouble(connection: Connection, cycle: int, error: Mapping[str, Any]) -> None:
    """Record an error in a cycle that continues despite it."""
    await connection.execute("update cycle set error = %s where id = %s", (as_json(error), cycle))


async def set_total(connection: Connection, cycle: int, total: int) -> None:
    await connection.execute("update cycle set total = %s where id = %s", (total, cycle))


async def count(
    connection: Connection,
    cycle: int,
    *,
    total: int = 0,
    done: int = 0,
    requests: int = 0,
    counts: Mapping[str, int] = {},
) -> None:
    """Add to the counters of *cycle*."""
    await connection.execute(
        """update cycle set total = total + %(total)s, done = done + %(done)s, requests = requests + %(requests)s,
            counts = add_counts(counts, %(counts)s)
        where id = %(cycle)s""",
        {"cycle": cycle, "total": total, "done": done, "requests": requests, "counts": as_json(counts)},
    )


async def close_if_done(connection: Connection, cycle: int) -> Cycle | None:
    """End *cycle* if no dirty row belongs to it any longer, and delete the job's list of accounts. Returns the cycle if it has ended now,
    otherwise None.
    """
    cursor = await connection.execute(
        """update cycle set ended_at = clock_timestamp(), phase = 'done', state = case
            when coalesce((counts ->> 'failed')::bigint, 0) > 0 then 'entryLevelErrors' else 'succeeded' end
        where id = %(cycle)s and state = 'running' and phase in ('write', 'references')
            and not exists (select from dirty where dirty.cycle = %(cycle)s)
        returning id, job, config_version""",
        {"cycle": cycle},
    )
    closed = await cursor.fetchone()
    if closed is None:
        return None
    await connection.execute(
        """update job set steady_at = coalesce(steady_at, now())
        where id = %s""",
        (closed[1],),
    )
    await notify(connection, Topic.CYCLE, job=closed[1])
    await connection.execute("delete from target_index where job = %s", (closed[1],))
    await connection.execute("delete from target_index_state where job = %s and not is_unusable", (closed[1],))
    return await read_cycle(connection, cycle)


async def unpin(connection: Connection, job: str) -> None:
    """Turn the running cycle, which applies a preview, into an ordinary one. Objects that the cycle has already left unwritten wait until
    `make_left_due` is called.
    """
    await connection.execute("update cycle set preview = null where job = %s and state = 'running'", (job,))
    await notify(connection, Topic.CYCLE, job=job)


async def cancel(connection: Connection, job: str, *, state: str, error: Mapping[str, Any] | None = None) -> None:
    """End the running cycle before its work is done. Its objects stay dirty and become part of the next cycle."""
    cursor = await connection.execute(
        """update cycle set state = %(state)s, ended_at = clock_timestamp(), error = %(error)s
        where job = %(job)s and state = 'running' and kind <> 'onDemand' returning id, preview""",
        {"job": job, "state": state, "error": None if error is None else as_json(error)},
    )
    for cycle, preview in await cursor.fetchall():
        await release_cycle(connection, cycle)
        if preview is not None:
            await make_left_due(connection, job)
        await notify(connection, Topic.CYCLE, job=job)
