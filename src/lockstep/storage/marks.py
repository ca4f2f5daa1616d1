"""Who is touched by a change of the directory: for every started job, the objects that need a look.

The questions here only find; `write_marks` marks everything of one transaction in one statement and in one order, so that two
transactions never wait for each other in a circle.
"""

# ruff: noqa: S608  # statements are put together from constants of this module; a row that must be there is there
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows
from lockstep.storage.groups import Edge


@dataclass(frozen=True, slots=True)
class Hit:
    """One object that one job has to look at. *is_linked*: the job knows an account of it."""

    job: str
    kind: str
    id: str
    is_linked: bool
    lane: int = 0


_LINKED = """exists (select from link where link.job = job.id and link.kind = {kind} and link.source_id = {id}
    and link.state <> 'tombstone')"""


async def are_jobs_started(connection: Connection) -> bool:
    cursor = await connection.execute("select exists (select from job where started)")
    row = await cursor.fetchone()
    return bool(row and row[0])


async def touched_by_changes(connection: Connection, kind: str, rows: Sequence[Mapping[str, Any]]) -> list[Hit]:
    """Who of *rows* (id, changed: attribute names, concerns_all) a job depends on and knows.

    A job knows an object that it synchronizes (scope: all), that is assigned, or that has a link. *concerns_all*: whatever
    the job depends on (enabled, disabled, deleted, restored, created).
    """
    return await _hits(
        connection,
        f"""select job.id as job, %(kind)s as kind, given.id::text as id, {_LINKED.format(kind="%(kind)s", id="given.id")} as is_linked
        from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, changed text[], concerns_all boolean)
        join job on job.started and job.dependencies->%(kind)s->0 is not null
            and (given.concerns_all or job.dependencies->%(kind)s ?| given.changed)
        where job.syncs_all
            or {_LINKED.format(kind="%(kind)s", id="given.id")}
            or exists (select from effective_assignment
                where effective_assignment.app = job.app and effective_assignment.object_id = given.id)""",
        {"kind": kind, "rows": as_rows(rows)},
    )


async def touched_by_edges(connection: Connection, edges: Sequence[Edge]) -> list[Hit]:
    """The people whose assignments *edges*, memberships that began or ended, give or take away."""
    groups, members = _people(edges)
    return await _hits(
        connection,
        f"""select distinct job.id as job, 'User' as kind, given.member_id::text as id,
            {_LINKED.format(kind="'User'", id="given.member_id")} as is_linked
        from unnest(%(groups)s::uuid[], %(members)s::uuid[]) as given (group_id, member_id)
        join assignment on assignment.principal_id = given.group_id and assignment.principal_kind = 'Group'
        join job on job.app = assignment.app and job.started""",
        {"groups": groups, "members": members},
    )


async def touched_by_assignment(connection: Connection, app: str, kind: str, principal: str) -> list[Hit]:
    """The people whom an assignment of *principal* reaches, and the group itself where the job provisions groups."""
    return await _hits(
        connection,
        f"""with reached as (
            select %(principal)s::uuid as id, %(kind)s::text as kind
            union
            select member_id, member_kind from member
            where group_id = %(principal)s and member_kind = 'User' and %(kind)s = 'Group'
        )
        select job.id as job, reached.kind, reached.id::text as id, {_LINKED.format(kind="reached.kind", id="reached.id")} as is_linked
        from reached join job on job.app = %(app)s and job.started
        where reached.kind = 'User' or job.dependencies->'Group'->0 is not null""",
        {"app": app, "kind": kind, "principal": principal},
    )


async def touched_by_roles(connection: Connection, app: str, roles: Sequence[str]) -> list[Hit]:
    """Everybody who holds one of *roles*, directly or through a group."""
    return await _hits(
        connection,
        f"""select distinct job.id as job, held.kind, held.object_id::text as id,
            {_LINKED.format(kind="held.kind", id="held.object_id")} as is_linked
        from effective_assignment as held join job on job.app = held.app and job.started
        where held.app = %(app)s and held.role_id = any(%(roles)s::uuid[])
            and (held.kind = 'User' or job.dependencies->'Group'->0 is not null)""",
        {"app": app, "roles": list(roles)},
    )


async def write_member_marks(connection: Connection, edges: Sequence[Edge]) -> list[Hit]:
    """Note changed members for every job with a live account of their group; returns those groups."""
    ordered = sorted({(edge.group_id, edge.member_id) for edge in edges})
    await connection.execute(
        """insert into dirty_member (job, group_id, member_id)
        select job.id, given.group_id, given.member_id
        from unnest(%s::uuid[], %s::uuid[]) as given (group_id, member_id)
        join link on link.kind = 'Group' and link.source_id = given.group_id and link.state = 'live'
        join job on job.id = link.job and job.started
        order by 1, 2, 3
        on conflict (job, group_id, member_id) do update set version = nextval('dirty_version')""",
        ([group for group, _ in ordered], [member for _, member in ordered]),
    )
    return await _hits(
        connection,
        """select job.id as job, 'Group' as kind, link.source_id::text as id, true as is_linked
        from link join job on job.id = link.job and job.started
        where link.kind = 'Group' and link.state = 'live' and link.source_id = any(%(groups)s::uuid[])""",
        {"groups": list({edge.group_id for edge in edges})},
    )


async def write_marks(connection: Connection, marks: Iterable[Mapping[str, Any]]) -> None:
    """Mark dirty: mappings of job, kind, id, lane, reasons. As the function mark_dirty, for several jobs and lanes."""
    await connection.execute(
        """insert into dirty (job, kind, source_id, lane, reasons)
        select job, kind, id, lane, reasons
        from jsonb_to_recordset(%(rows)s::jsonb) as given (job text, kind text, id uuid, lane smallint, reasons text[])
        order by job, kind, id
        on conflict (job, kind, source_id) do update set
            version = nextval('dirty_version'),
            lane = least(dirty.lane, excluded.lane),
            reasons = case when dirty.reasons @> excluded.reasons then dirty.reasons
                else array(select distinct unnest(dirty.reasons || excluded.reasons)) end,
            not_before = '-infinity'""",
        {"rows": as_rows(marks)},
    )


async def _hits(connection: Connection, query: str, parameters: Mapping[str, Any]) -> list[Hit]:
    async with connection.cursor(row_factory=class_row(Hit)) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()


def _people(edges: Sequence[Edge]) -> tuple[list[str], list[str]]:
    people = [edge for edge in edges if edge.member_kind == "User"]
    return [edge.group_id for edge in people], [edge.member_id for edge in people]
