"""The assignments of one application, page by page, each with the number of people who get access through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.patterns import part_of


@dataclass(frozen=True, slots=True)
class AssignedRow:
    """One assignment. *reach* is the number of people outside the recycle bin who get access through it. *position* is its place in the
    list.
    """

    id: str
    kind: str
    principal_id: str
    principal: str
    detail: str
    role_value: str
    role_name: str
    created_at: datetime
    reach: int
    position: str


_LIST = """with listed as (
    select assignment.id::text, assignment.app, assignment.principal_kind as kind, assignment.principal_id,
        coalesce(nullif(person.attributes->>'displayName', ''), person.user_principal_name, grp.display_name) as principal,
        coalesce(person.user_principal_name, '') as detail, coalesce(app_role.value, '') as role_value,
        coalesce(app_role.display_name, 'Default Access') as role_name, assignment.created_at
    from assignment
    left join person on person.id = assignment.principal_id and assignment.principal_kind = 'User'
    left join grp on grp.id = assignment.principal_id and assignment.principal_kind = 'Group'
    left join app_role on app_role.app = assignment.app and app_role.id = assignment.role_id
    where assignment.app = %(app)s),
placed as (select *, kind || ' ' || lower(coalesce(principal, '')) || ' ' || id as position from listed)
select id, kind, principal_id::text, coalesce(principal, principal_id::text) as principal, detail, role_value, role_name, created_at,
    case kind when 'User' then 1 else (select count(distinct held.object_id) from effective_assignment as held
        join person on person.id = held.object_id and person.deleted_at is null
        where held.app = placed.app and held.via_group = placed.principal_id) end as reach, position
from placed
where position collate "C" > %(after)s collate "C" and (%(search)s = '' or principal ilike %(like)s or detail ilike %(like)s)
order by position collate "C" limit %(limit)s"""


async def read_page(connection: Connection, app: str, *, search: str, after: str, limit: int) -> Sequence[AssignedRow]:
    """Read one page: groups before people, each by name. *search* is part of a name or user principal name. *after* is the `position` of
    the last row on the previous page.
    """
    values = {"app": app, "search": search, "like": part_of(search), "after": after, "limit": limit}
    async with connection.cursor(row_factory=class_row(AssignedRow)) as cursor:
        await cursor.execute(_LIST, values)
        return await cursor.fetchall()


async def count_members(connection: Connection, groups: Sequence[str]) -> dict[str, int]:
    """Count the people outside the recycle bin that are direct members of each group."""
    cursor = await connection.execute(
        """select member.group_id::text, count(*) from member
        join person on person.id = member.member_id and person.deleted_at is null
        where member.group_id = any(%s::uuid[]) group by 1""",
        (list(groups),),
    )
    return {str(group): int(number) for group, number in await cursor.fetchall()}
