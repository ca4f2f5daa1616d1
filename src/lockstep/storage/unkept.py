"""The attributes that the application does not keep, with the number of consecutive responses that did not contain the sent value.

A response that contains the value resets the count. Objects for which a difference in this attribute was not written are then evaluated
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows, only_row


@dataclass(frozen=True, slots=True)
class KeptAttribute:
    """An attribute that the application keeps, as a response showed."""

    kind: ObjectKind
    path: str


@dataclass(frozen=True, slots=True)
class MissingAttribute:
    """An attribute that consecutive responses left out. *answers* is the number of these responses. *source_id* is the object of the last
    response. *mapping* is the fingerprint of the mapping.
    """

    kind: ObjectKind
    path: str
    mapping: str
    source_id: str
    display: str
    answers: int = 1


async def has_any(connection: Connection, job: str) -> bool:
    """Whether the job has any attribute that the application did not keep. If it has none, `note_kept` has nothing to reset."""
    cursor = await connection.execute("select exists (select from unkept_attribute where job = %s)", (job,))
    return bool((await only_row(cursor))[0])


async def note_kept(connection: Connection, job: str, kept: Sequence[KeptAttribute]) -> None:
    """Record that the application keeps these attributes. If one of them counted as not kept, marks the objects of its kind that may have a
    difference that was not written for this reason.
    """
    await connection.execute(
        """with ended as (
            delete from unkept_attribute using jsonb_to_recordset(%(rows)s::jsonb) as given (kind text, path text)
            where unkept_attribute.job = %(job)s and unkept_attribute.kind = given.kind and unkept_attribute.path = given.path
            returning unkept_attribute.kind, answers
        )
        select mark_dirty(%(job)s, again.kind, ids, 4::smallint, 'keptAgain')
        from (select distinct kind from ended where answers > 1) as again
        cross join lateral (
            select array_agg(source_id) as ids from link
            where link.job = %(job)s and link.state = 'live' and link.desired_hash = '' and link.kind = again.kind
        ) as withheld  -- read only if something has ended
        where ids is not null""",
        {"job": job, "rows": as_rows(kept)},
    )


async def note_missing(connection: Connection, job: str, missing: Sequence[MissingAttribute]) -> None:
    """For each attribute in *missing*, add *answers* to the stored number of consecutive responses that left the attribute out. The number
    begins again if the mapping has changed.
    """
    await connection.execute(
        """insert into unkept_attribute (job, kind, path, mapping, answers, source_id, display)
        select %(job)s, kind, path, mapping, answers, source_id, display
        from jsonb_to_recordset(%(rows)s::jsonb)
            as given (kind text, path text, mapping text, answers integer, source_id uuid, display text)
        order by kind, path
        on conflict (job, kind, path) do update set
            answers = excluded.answers
                + case when unkept_attribute.mapping = excluded.mapping then unkept_attribute.answers else 0 end,
            first_at = case when unkept_attribute.mapping = excluded.mapping then unkept_attribute.first_at else now() end,
            mapping = excluded.mapping, source_id = excluded.source_id, display = excluded.display, last_at = now()""",
        {"job": job, "rows": as_rows(missing)},
    )


async def forget_other_mappings(connection: Connection, job: str, config: str) -> None:
    """Forget the observations made under mappings that *config*, the next configuration version, changes or removes."""
    await connection.execute(
        """delete from unkept_attribute using job, config_version as before
        where unkept_attribute.job = %(job)s and job.id = %(job)s
            and before.job = job.id and before.version = job.config_version
            and not exists (
                select from jsonb_array_elements(before.config -> 'mappings') as old,
                    jsonb_array_elements(old -> 'attributes') as rule, jsonb_array_elements(%(config)s::jsonb -> 'mappings') as new,
                    jsonb_array_elements(new -> 'attributes') as same
                where old ->> 'source' = kind and new ->> 'source' = kind and rule ->> 'target' = path and same = rule)""",
        {"job": job, "config": config},
    )


async def forget(connection: Connection, job: str) -> None:
    """Forget which attributes the application does not keep or returns differently, and which groups cannot be verified. Lockstep then
    determines this again from new responses. Marks the objects that have a withheld difference.
    """
    await connection.execute("delete from unkept_attribute where job = %s", (job,))
    await connection.execute("delete from unverified_group where job = %s", (job,))
    await connection.execute("update link set answers = '{}' where job = %s and answers <> '{}'", (job,))
    await connection.execute(
        """select mark_dirty(job, kind, array_agg(source_id), 4::smallint, 'keptAgain') from link
        where job = %s and state = 'live' and desired_hash = '' and exists (select from job where id = link.job and started)
        group by job, kind""",
        (job,),
    )


async def forget_application(connection: Connection, app: str) -> None:
    """Call `forget` for the job of the application with the id *app*, if it has one."""
    cursor = await connection.execute("select id from job where app = %s", (app,))
    for (job,) in await cursor.fetchall():
        await forget(connection, job)
