"""Find the objects that a change of the directory affects, for each started job.

Most queries here only find objects. `write_marks` marks all objects of one transaction in one statement and in a fixed order, so that two
transactions cannot deadlock.
"""

# ruff: noqa: S608  # statements are built from constants of this module
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
    """One object that one job must evaluate. *is_linked* is true if the job has a link for it."""

    job: str
    kind: str
    id: str
    is_linked: bool
    lane: int = 0


_LINKED = """exists (select from link where link.job = job.id and link.kind = {kind} and link.source_id = {id}
    and link.state <> 'tombstone')"""


_MEMBERS_OF_INTEREST = f"""select distinct job.id as job, 'User' as kind, reached.person::text as id,
        {_LINKED.format(kind="'User'", id="reached.person")} as is_linked
    from reached
    join job on job.started and job.dependencies->'User' ? 'memberOf' and (job.nested_groups or not reached.is_nested)
    where job.syncs_all
        or {_LINKED.format(kind="'User'", id="reached.person")}
        or exists (select from effective_assignment
            where effective_assignment.app = job.app and effective_assignment.object_id = reached.person)"""


async def are_jobs_started(connection: Connection) -> bool:
    cursor = await connection.execute("select exists (select from job where started)")
    row = await cursor.fetchone()
    return bool(row and row[0])


async def touched_by_changes(connection: Connection, kind: str, rows: Sequence[Mapping[str, Any]]) -> list[Hit]:
    """Find the objects in *rows* (id, changed attribute names, concerns_all), for each job that provisions them and depends on one of their
    changed attributes.

    A job provisions an object if everyone is in its scope, if the object is assigned, or if it has a link. *concerns_all* is true for
    changes that every job depends on: created, restored, enabled, disabled, deleted.
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


async def touched_by_managers(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Hit]:
    """*rows* are changed people (id, changed attribute names). Return their direct reports, for each job that reads one of the changed
    attributes as `manager.<attribute>` and provisions the direct report.
    """
    return await _hits(
        connection,
        f"""with given as (
            select report.id, array(select 'manager.' || name from unnest(given.changed) as name) as changed
            from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, changed text[])
            join person as report on report.manager_id = given.id
            where exists (select from job cross join lateral jsonb_array_elements_text(job.dependencies->'User') as name
                where job.started and starts_with(name, 'manager.'))
        )
        select job.id as job, 'User' as kind, given.id::text as id, {_LINKED.format(kind="'User'", id="given.id")} as is_linked
        from given join job on job.started and job.dependencies->'User' ?| given.changed
        where job.syncs_all
            or {_LINKED.format(kind="'User'", id="given.id")}
            or exists (select from effective_assignment
                where effective_assignment.app = job.app and effective_assignment.object_id = given.id)""",
        {"rows": as_rows(rows)},
    )


# People reached by memberships: direct members and, if a job flattens nested groups, members of the groups below. They are found from the
# group of the membership and from all groups above it.
_REACHED = """
    given as (
        select * from unnest(%(groups)s::uuid[], %(members)s::uuid[], %(kinds)s::text[]) as given (group_id, member_id, kind)
    ),
    people as (
        select member_id as person, group_id, true as is_direct from given where kind = 'User'
        union
        select member.member_id, given.group_id, false
        from given cross join lateral groups_below(array[given.member_id]) as below (id)
        join member on member.group_id = below.id and member.member_kind = 'User'
        where given.kind = 'Group' and exists (select from job where nested_groups)
    ),
    above as (
        select one.group_id, above.id as root
        from (select distinct group_id from given) as one cross join lateral groups_above(array[one.group_id]) as above (id)
        where exists (select from job where nested_groups)
    ),
    reached as (
        select person, group_id as root, false as is_nested from people where is_direct
        union
        select people.person, above.root, true from people join above on above.group_id = people.group_id
    )
"""


async def touched_by_edges(connection: Connection, edges: Sequence[Edge]) -> list[Hit]:
    """Find the people who gain or lose an assignment or a membership through *edges* (memberships that began or ended)."""
    return await _hits(
        connection,
        f"""with {_REACHED}
        select distinct job.id as job, 'User' as kind, reached.person::text as id,
            {_LINKED.format(kind="'User'", id="reached.person")} as is_linked
        from reached
        join assignment on assignment.principal_id = reached.root and assignment.principal_kind = 'Group'
        join job on job.app = assignment.app and job.started and (job.nested_groups or not reached.is_nested)
        union
        {_MEMBERS_OF_INTEREST}""",
        _edge_columns(edges),
    )


async def touched_by_group_names(connection: Connection, edges: Sequence[Edge]) -> list[Hit]:
    """Find the members of renamed groups, for jobs that read the names of a person's groups. *edges* are memberships in these groups."""
    return await _hits(connection, f"with {_REACHED} {_MEMBERS_OF_INTEREST}", _edge_columns(edges))


async def touched_by_assignment(connection: Connection, app: str, kind: str, principal: str) -> list[Hit]:
    """Find the people who get access if *principal* is assigned. If *principal* is a group and the job provisions groups, find the group
    too.
    """
    return await _hits(
        connection,
        f"""with reached as (
            select %(principal)s::uuid as id, %(kind)s::text as kind
            union
            select person, 'User' from job cross join lateral members_for(job.id, %(principal)s) as person
            where job.app = %(app)s and %(kind)s = 'Group'
        )
        select job.id as job, reached.kind, reached.id::text as id, {_LINKED.format(kind="reached.kind", id="reached.id")} as is_linked
        from reached join job on job.app = %(app)s and job.started
        where reached.kind = 'User' or job.dependencies->'Group'->0 is not null""",
        {"app": app, "kind": kind, "principal": principal},
    )


async def touched_by_roles(connection: Connection, app: str, roles: Sequence[str]) -> list[Hit]:
    """Find all people with one of *roles*, assigned directly or through a group. If the job provisions groups, find groups with these roles
    too.
    """
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
    """Record the changed members for each started job in whose application their group has a live account. Returns one entry for each job
    and group for which something was recorded.
    """
    return await _hits(
        connection,
        f"""with {_REACHED},
        noted as (
            insert into dirty_member (job, group_id, member_id)
            select distinct job.id, reached.root, reached.person
            from reached
            join link on link.kind = 'Group' and link.source_id = reached.root and link.state = 'live'
            join job on job.id = link.job and job.started and (job.nested_groups or not reached.is_nested)
            order by 1, 2, 3
            on conflict (job, group_id, member_id) do update set version = nextval('dirty_version')
            returning job, group_id
        )
        select distinct job, 'Group' as kind, group_id::text as id, true as is_linked from noted""",
        _edge_columns(edges),
    )


async def write_marks(connection: Connection, marks: Iterable[Mapping[str, Any]]) -> None:
    """Mark objects dirty. *marks* have job, kind, id, lane and reasons. Works like the SQL function mark_dirty, but for several jobs and
    lanes at once.
    """
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


def _edge_columns(edges: Sequence[Edge]) -> dict[str, list[str]]:
    return {
        "groups": [edge.group_id for edge in edges],
        "members": [edge.member_id for edge in edges],
        "kinds": [edge.member_kind for edge in edges],
    }
