"""Previews of a whole application: what provisioning would do to each person and group.

A worker claims a preview and reports progress. If it stops reporting, another worker takes the preview over and begins again. Every later
write of the former owner is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from psycopg.rows import class_row

from lockstep.engine.records import WRITING
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json
from lockstep.storage.notices import Topic, notify

MOST_ATTEMPTS = 3


class PreviewState(StrEnum):
    """The state of a preview. The values are stored."""

    WAITING = "waiting"  # for a worker
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"  # by a person


_WRITTEN = ("created", "updated", "enabled", "disabled", "deleted")  # what cycles count
UNDER_WAY = (PreviewState.WAITING, PreviewState.RUNNING)


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One preview. *counts* contains the number of planned objects for each action. Two more keys count objects whose write would be held
    (`held`) and objects that the next incremental cycle evaluates (`due`). *config_version* is the version of the configuration that the
    preview used. *newest_version* is the present version.

    *difference* compares a complete preview with the complete one before it, and is None if that one no longer exists. `earlier` is the
    number of the earlier preview, `changed` the number of objects that are planned differently or are new, and `gone` the number of objects
    that only the earlier preview has.

    *has_fingerprints* is false if an older version of Lockstep made the preview. *applied_by* is the newest cycle that applied it, and
    *left* is the number of objects that this cycle left aside because their plan had changed.
    """

    id: int
    job: str
    state: PreviewState
    started_by: str
    created_at: datetime
    beat_at: datetime
    ended_at: datetime | None
    attempts: int
    config_version: int
    newest_version: int
    phase: str
    done: int
    total: int
    requests: int
    counts: Mapping[str, int]
    risks: Sequence[Mapping[str, Any]]
    error: Mapping[str, Any] | None
    difference: Mapping[str, int] | None = None
    has_fingerprints: bool = False
    applied_by: int | None = None
    is_being_applied: bool = False
    left: int = 0
    applied_counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def writes(self) -> int:
        """The number of planned objects that would be written."""
        return sum(self.counts.get(action.value, 0) for action in WRITING)

    @property
    def written(self) -> int:
        """The number of objects that were written by the newest cycle that applied the preview."""
        return sum(self.applied_counts.get(word, 0) for word in _WRITTEN)

    @property
    def is_stale(self) -> bool:
        """Whether the configuration has changed since the preview was made."""
        return self.config_version != self.newest_version


@dataclass(frozen=True, slots=True)
class ClaimedPreview:
    """A preview that *owner* is about to make."""

    id: int
    job: str
    owner: str


_SELECT = """select preview.id, preview.job, preview.state, preview.started_by, preview.created_at, preview.beat_at, preview.ended_at,
    preview.attempts, preview.config_version, job.config_version as newest_version, preview.phase, preview.done, preview.total,
    preview.requests, preview.counts, preview.risks, preview.error,
    case when exists (select from preview as earlier where earlier.job = preview.job
        and earlier.id = (preview.difference ->> 'earlier')::bigint) then preview.difference end as difference,
    preview.has_fingerprints, (select max(id) from cycle where cycle.preview = preview.id) as applied_by,
    exists (select from cycle where cycle.preview = preview.id and state = 'running') as is_being_applied,
    (select count(*) from preview_left where preview_left.preview = preview.id) as left,
    coalesce((select counts from cycle where cycle.preview = preview.id order by id desc limit 1), '{}') as applied_counts
    from preview join job on job.id = preview.job """


async def insert(connection: Connection, job: str, *, started_by: str) -> int | None:
    """Add a preview that waits for a worker. Returns its number, or None if another preview of the job is under way."""
    cursor = await connection.execute(
        """insert into preview (job, state, started_by, config_version)
        select id, 'waiting', %s, config_version from job where id = %s
        on conflict (job) where state in ('waiting', 'running') do nothing returning id""",
        (started_by, job),
    )
    row = await cursor.fetchone()
    await notify(connection, Topic.PROGRESS, job=job)
    return int(row[0]) if row else None


async def claim_due(
    connection: Connection, *, owner: str, lost_after: timedelta, preview: int | None = None
) -> ClaimedPreview | None:
    """Claim the oldest due preview, or only *preview* if it is given, and delete its earlier results. A preview is due if it waits, or if
    its worker has not reported for *lost_after*.
    """
    await _end_lost_too_often(connection, lost_after=lost_after)
    cursor = await connection.execute(
        """update preview set state = 'running', owner = %(owner)s, beat_at = now(), attempts = attempts + 1, phase = '', done = 0,
            has_fingerprints = true, total = 0, requests = 0,
            counts = '{}', config_version = (select config_version from job where job.id = preview.job)
        where id = (select id from preview where (state = 'waiting' or (state = 'running' and beat_at < now() - %(lost)s))
            and (%(preview)s::bigint is null or id = %(preview)s) order by id limit 1 for update skip locked)
        returning id, job""",
        {"owner": owner, "lost": lost_after, "preview": preview},
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    await connection.execute("delete from preview_object where preview = %s", (row[0],))
    await connection.execute("delete from preview_account where preview = %s", (row[0],))
    await notify(connection, Topic.PROGRESS, job=row[1])
    return ClaimedPreview(row[0], row[1], owner)


async def _end_lost_too_often(connection: Connection, *, lost_after: timedelta) -> None:
    cursor = await connection.execute(
        """update preview set state = 'failed', phase = '', ended_at = now() where state = 'running' and attempts >= %s
            and beat_at < now() - %s returning id, job""",
        (MOST_ATTEMPTS, lost_after),
    )
    for preview, job in await cursor.fetchall():
        await connection.execute("delete from preview_account where preview = %s", (preview,))
        await notify(connection, Topic.PROGRESS, job=job)


async def save_progress(
    connection: Connection,
    claimed: ClaimedPreview,
    *,
    phase: str | None = None,
    total: int | None = None,
    done: int = 0,
    requests: int = 0,
    counts: Mapping[str, int] | None = None,
) -> bool:
    """Report progress. *done* is added to the number of finished objects; *requests* is the total number of requests sent so far. Returns
    False if the preview was stopped or taken over.
    """
    cursor = await connection.execute(
        """update preview set beat_at = now(), phase = coalesce(%(phase)s, phase), total = coalesce(%(total)s, total),
            done = done + %(done)s, requests = greatest(requests, %(requests)s), counts = coalesce(%(counts)s, counts)
        where id = %(id)s and owner = %(owner)s and state = 'running'""",
        {"id": claimed.id, "owner": claimed.owner, "phase": phase, "total": total, "done": done, "requests": requests,
         "counts": None if counts is None else as_json(counts)},
    )  # fmt: skip
    await notify(connection, Topic.PROGRESS, job=claimed.job)
    return cursor.rowcount == 1


async def save_end(
    connection: Connection,
    claimed: ClaimedPreview,
    state: PreviewState,
    *,
    risks: Sequence[Mapping[str, Any]] = (),
    error: Mapping[str, Any] | None = None,
    difference: Mapping[str, int] | None = None,
) -> None:
    """End the preview and delete its list of accounts. If it was stopped or taken over, change nothing, because the list may belong to the
    new owner.
    """
    cursor = await connection.execute(
        """update preview set state = %s, risks = %s, error = %s, difference = %s, phase = '', ended_at = now(), beat_at = now()
        where id = %s and owner = %s and state = 'running'""",
        (
            state,
            as_json(list(risks)),
            *(None if one is None else as_json(one) for one in (error, difference)),
            claimed.id,
            claimed.owner,
        ),
    )
    if cursor.rowcount:
        await connection.execute("delete from preview_account where preview = %s", (claimed.id,))
    await notify(connection, Topic.PROGRESS, job=claimed.job)


async def give_back(connection: Connection, claimed: ClaimedPreview) -> None:
    """Return the preview to the queue for another worker. Called when this process ends. The attempt does not count."""
    await connection.execute(
        """update preview set state = 'waiting', owner = '', phase = '', attempts = attempts - 1
        where id = %s and owner = %s and state = 'running'""",
        (claimed.id, claimed.owner),
    )
    await notify(connection, Topic.PROGRESS, job=claimed.job)


async def stop(connection: Connection, preview: PreviewRow) -> bool:
    """Stop the preview. Returns False if it had already ended."""
    cursor = await connection.execute(
        "update preview set state = 'stopped', phase = '', ended_at = now() where id = %s and state in ('waiting', 'running')",
        (preview.id,),
    )
    await connection.execute("delete from preview_account where preview = %s", (preview.id,))
    await notify(connection, Topic.PROGRESS, job=preview.job)
    return cursor.rowcount == 1


async def remove(connection: Connection, preview: PreviewRow) -> None:
    await connection.execute("delete from preview where id = %s", (preview.id,))
    await notify(connection, Topic.PROGRESS, job=preview.job)


async def remove_all_but_newest(connection: Connection, job: str, *, most: int) -> int:
    """Remove previews of *job* that have ended. The newest previews are kept, up to the number *most*. The newest complete preview, and a
    preview that is being applied, are always kept. Returns how many previews were removed.
    """
    cursor = await connection.execute(
        """delete from preview where job = %(job)s and ended_at is not null
            and id not in (select id from preview where job = %(job)s order by id desc limit %(most)s)
            and id is distinct from (select max(id) from preview where job = %(job)s and state = 'done')
            and not exists (select from cycle where cycle.preview = preview.id and cycle.state = 'running')""",
        {"job": job, "most": most},
    )
    return cursor.rowcount


async def read(connection: Connection, job: str, preview: int) -> PreviewRow | None:
    async with connection.cursor(row_factory=class_row(PreviewRow)) as cursor:
        await cursor.execute(_SELECT + "where preview.job = %s and preview.id = %s", (job, preview))
        return await cursor.fetchone()


async def complete_before(connection: Connection, job: str, preview: int) -> int | None:
    """Return the number of the newest complete preview of *job* that was made before *preview*."""
    cursor = await connection.execute(
        "select id from preview where job = %s and id < %s and state = 'done' order by id desc limit 1", (job, preview)
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else None


async def has_complete_preview(connection: Connection, job: str) -> bool:
    """Whether a complete preview of *job* is stored."""
    cursor = await connection.execute("select true from preview where job = %s and state = 'done' limit 1", (job,))
    return await cursor.fetchone() is not None


async def list_previews(connection: Connection, job: str, *, limit: int, below: int = 0) -> list[PreviewRow]:
    """Return the previews of *job*, newest first. With *below*, return only those with smaller numbers."""
    async with connection.cursor(row_factory=class_row(PreviewRow)) as cursor:
        await cursor.execute(
            _SELECT
            + """where preview.job = %(job)s and (%(below)s = 0 or preview.id < %(below)s)
            order by preview.id desc limit %(limit)s""",
            {"job": job, "below": below, "limit": limit},
        )
        return await cursor.fetchall()
