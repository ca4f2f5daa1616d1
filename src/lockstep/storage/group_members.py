"""The members of a group, page by page: groups before people, each by name."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row
from lockstep.storage.patterns import part_of


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One direct member. *detail* is a person's user principal name. *position* is the member's place in the list."""

    id: str
    kind: str
    name: str
    detail: str
    account_enabled: bool
    is_deleted: bool
    position: str


_NAMED = """select member_id::text as id, member_kind as kind,
        coalesce(nullif(person.attributes->>'displayName', ''), person.user_principal_name, grp.display_name, '') as name,
        coalesce(person.user_principal_name, '') as detail, coalesce(person.account_enabled, true) as account_enabled,
        coalesce(person.deleted_at, grp.deleted_at) is not null as is_deleted
    from member
    left join person on person.id = member_id and member_kind = 'User'
    left join grp on grp.id = member_id and member_kind = 'Group'
    where group_id = %(group)s"""


async def read_members(connection: Connection, group: str, *, search: str, after: str, limit: int) -> list[MemberRow]:
    """Read one page of the direct members: groups before people. *search* is part of a name or user principal name. *after* is the
    `position` of the last row on the previous page.
    """
    async with connection.cursor(row_factory=class_row(MemberRow)) as cursor:
        await cursor.execute(
            f"""select * from (select named.*, kind || ' ' || lower(name) || ' ' || id as position from ({_NAMED}) as named) as placed
            where position collate "C" > %(after)s collate "C" and (%(search)s = '' or name ilike %(part)s or detail ilike %(part)s)
            order by position collate "C" limit %(limit)s""",  # noqa: S608  # built from a constant of this module
            {"group": group, "search": search, "part": part_of(search), "after": after, "limit": limit},
        )
        return await cursor.fetchall()


async def count_members(connection: Connection, group: str) -> int:
    """Count the direct members of a group, both people and groups."""
    row = await only_row(await connection.execute("select count(*) from member where group_id = %s", (group,)))
    return int(row[0])
