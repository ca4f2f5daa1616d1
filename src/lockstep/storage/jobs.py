"""Jobs: the provisioning of one application, with its configuration version and its health.

Configuration versions are only added, never changed: a worker that claimed objects under a version can always read it again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from lockstep.engine.records import AppRole, Lane
from lockstep.postgres.pool import Connection
from lockstep.storage import unkept
from lockstep.storage.batches import as_json, only_row
from lockstep.storage.notices import Topic, notify


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job with the newest stored version of its configuration."""

    id: str
    app: str
    app_name: str
    app_display_name: str
    template: str
    status: str
    started: bool
    config_version: int
    config: Mapping[str, Any]
    syncs_all: bool
    paused_at: datetime | None
    paused_by: str | None
    next_cycle_at: datetime | None
    steady_at: datetime | None
    last_probe_at: datetime | None
    quarantine: Mapping[str, Any] | None
    unkept: Sequence[
        Mapping[str, Any]
    ] = ()  # attributes that responses leave out: kind, path, mapping, answers, display, since
    read_at: datetime | None = None  # by the clock of the database
    is_applying: bool = False  # whether a cycle applies a preview now

    @property
    def is_on(self) -> bool:
        return self.status == "on" and self.started

    @property
    def may_work(self) -> bool:
        """Whether cycles may write: provisioning is on, or a preview is being applied."""
        return self.is_on or self.is_applying


_SELECT = """
select job.id, job.app::text, application.name as app_name, application.display_name as app_display_name,
    application.template, job.status, job.started, job.config_version, coalesce(config_version.config, '{}') as config,
    job.syncs_all, job.paused_at, job.paused_by, job.next_cycle_at, job.steady_at, job.last_probe_at, job.quarantine,
    coalesce((select jsonb_agg(jsonb_build_object('kind', kind, 'path', path, 'mapping', mapping,
        'answers', answers, 'display', display, 'since', first_at) order by kind, path)
        from unkept_attribute where unkept_attribute.job = job.id), '[]') as unkept, clock_timestamp() as read_at,
    exists (select from cycle where cycle.job = job.id and state = 'running' and preview is not null) as is_applying
from job
join application on application.id = job.app
left join config_version on config_version.job = job.id and config_version.version = job.config_version
"""


async def read_job(connection: Connection, job: str) -> JobRow | None:
    return await _read(connection, "where job.id = %s", job)


async def read_jobs(connection: Connection) -> list[JobRow]:
    async with connection.cursor(row_factory=class_row(JobRow)) as cursor:
        await cursor.execute(_SELECT + "order by application.name")
        return await cursor.fetchall()


async def read_jobs_of(connection: Connection, apps: Sequence[str]) -> dict[str, JobRow]:
    """Return the jobs of *apps*, by application."""
    async with connection.cursor(row_factory=class_row(JobRow)) as cursor:
        await cursor.execute(_SELECT + "where job.app = any(%s::uuid[])", (list(apps),))
        return {row.app: row for row in await cursor.fetchall()}


async def find_job(connection: Connection, app: str) -> JobRow | None:
    """Return the job of the application with this name or id."""
    return await _read(connection, "where application.name = lower(%s) or application.id::text = lower(%s)", app, app)


async def _read(connection: Connection, condition: str, *values: str) -> JobRow | None:
    async with connection.cursor(row_factory=class_row(JobRow)) as cursor:
        await cursor.execute(_SELECT + condition, values)
        return await cursor.fetchone()


async def roles_of_application(connection: Connection, app: str) -> tuple[AppRole, ...]:
    """Return the application's roles in order of precedence."""
    cursor = await connection.execute(
        "select id::text, value, display_name, is_enabled from app_role where app = %s order by position", (app,)
    )
    return tuple(AppRole(*row) for row in await cursor.fetchall())


async def save_configuration(
    connection: Connection,
    job: str,
    config: Mapping[str, Any],
    *,
    dependencies: Mapping[str, Any],
    syncs_all: bool,
    author: str,
    activity: str = "",
    comment: str = "",
) -> int:
    """Add a configuration version, put it in force, and return its number. *activity* says what the author did, and *comment* is what the
    author says about it.

    Data read from the application under the old version is read again, because the new version may need other attributes. A job in
    quarantine is tried again now, because the old version may have been the cause.
    """
    await distrust_target_index(connection, job)
    await unkept.forget_other_mappings(connection, job, as_json(config))
    cursor = await connection.execute(
        """with next as (
            update job set config_version = config_version + 1, dependencies = %(dependencies)s, syncs_all = %(syncs_all)s,
                quarantine = jsonb_set(quarantine, '{nextAttempt}', to_jsonb(now())),
                nested_groups = coalesce((%(config)s::jsonb -> 'nestedGroups')::boolean, false)
            where id = %(job)s returning config_version
        )
        insert into config_version (job, version, config, author, activity, comment)
        select %(job)s, config_version, %(config)s, %(author)s, %(activity)s, %(comment)s from next returning version""",
        {
            "job": job,
            "config": as_json(config),
            "dependencies": as_json(dependencies),
            "syncs_all": syncs_all,
            "author": author,
            "activity": activity,
            "comment": comment,
        },
    )
    return int((await only_row(cursor, f"There is no job {job}"))[0])


async def set_status(connection: Connection, job: str, status: str, *, actor: str) -> None:
    """Switch the job on or off. Nothing else changes, so a job resumes where it stopped when it is switched on again."""
    await connection.execute(
        """update job set status = %(status)s,
            paused_at = case when %(status)s = 'off' then coalesce(paused_at, now()) end,
            paused_by = case when %(status)s = 'off' then coalesce(paused_by, %(actor)s) end
        where id = %(job)s""",
        {"job": job, "status": status, "actor": actor},
    )
    await notify(connection, Topic.STATUS, job=job)


async def distrust_target_index(connection: Connection, job: str) -> None:
    """Mark the listed accounts of the application as untrusted, so that they are listed again before they are used."""
    await connection.execute("update target_index_state set complete = false where job = %s", (job,))


async def set_started(connection: Connection, job: str) -> None:
    await connection.execute("update job set started = true where id = %s", (job,))


async def set_next_cycle(connection: Connection, job: str, interval: timedelta) -> None:
    await connection.execute("update job set next_cycle_at = now() + %s where id = %s", (interval, job))


async def set_next_cycle_at(connection: Connection, job: str, at: datetime) -> None:
    await connection.execute("update job set next_cycle_at = %s where id = %s", (at, job))


async def lock_job(connection: Connection, job: str) -> None:
    """Prevent others from changing the health of *job* until the transaction ends."""
    await connection.execute("select from job where id = %s for no key update", (job,))


async def set_quarantine(connection: Connection, job: str, quarantine: Mapping[str, Any] | None) -> None:
    await connection.execute(
        "update job set quarantine = %s where id = %s", (None if quarantine is None else as_json(quarantine), job)
    )
    await notify(connection, Topic.STATUS, job=job)


async def end_connection_wait(connection: Connection, job: str) -> bool:
    """Record that the connection works. If the job is in quarantine because of its connection, make its next attempt due at once. Returns
    whether the job was in such a quarantine.
    """
    cursor = await connection.execute(
        """update job set last_probe_at = null, quarantine = jsonb_set(quarantine, '{nextAttempt}', to_jsonb(now()))
        where id = %s and quarantine ->> 'reason' = 'EncounteredQuarantineException'""",
        (job,),
    )
    return cursor.rowcount > 0


async def note_probe(connection: Connection, job: str) -> None:
    """Record that the application has just answered a probe correctly."""
    await connection.execute("update job set last_probe_at = now() where id = %s", (job,))


async def jobs_with_due_cycle(connection: Connection) -> list[str]:
    """Return the jobs that are switched on and have a due cycle, or a due probe of the application during a quarantine."""
    cursor = await connection.execute(
        """select id from job where status = 'on' and started and (coalesce(next_cycle_at, now()) <= now()
            or (quarantine ->> 'nextAttempt')::timestamptz <= now())"""
    )
    return [row[0] for row in await cursor.fetchall()]


async def applications_with_work(connection: Connection, among: Collection[str]) -> list[str]:
    """Return the names of the applications whose job is in *among*, is switched on, and has due objects or a running cycle."""
    cursor = await connection.execute(
        """select application.name from job join application on application.id = job.app
        where job.id = any(%s) and status = 'on' and started and (
            exists (select from dirty where dirty.job = job.id and not_before <= now()
                and (lease_until is null or lease_until < now()))
            or exists (select from cycle where cycle.job = job.id and state = 'running' and kind <> 'onDemand'))
        order by application.name""",
        (list(among),),
    )
    return [row[0] for row in await cursor.fetchall()]


async def has_waiting_leavers(connection: Connection, job: str) -> bool:
    """Whether any object of the job is waiting to lose access."""
    cursor = await connection.execute("select exists (select from dirty where job = %s and lane = 1)", (job,))
    return bool((await only_row(cursor))[0])


async def count_waiting_leavers(connection: Connection) -> int:
    """Count the due objects that wait to lose access, in all jobs that are switched on."""
    cursor = await connection.execute(
        """select count(*) from dirty join job on job.id = dirty.job and job.status = 'on' and job.started
        where dirty.lane = %s and dirty.not_before <= now()""",
        (Lane.LEAVERS.number,),
    )
    return int((await only_row(cursor))[0])


async def has_live_worker(connection: Connection, *, silent_seconds: float) -> bool:
    """Whether any worker of any process has sent a heartbeat within *silent_seconds*."""
    cursor = await connection.execute(
        "select exists (select from procrastinate_workers where last_heartbeat > now() - make_interval(secs => %s))",
        (silent_seconds,),
    )
    return bool((await only_row(cursor))[0])
