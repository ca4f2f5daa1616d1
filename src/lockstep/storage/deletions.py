"""Find the people and groups that a deletion of one group, or of all objects of a source, would affect. To try out the deletion of groups,
the groups can be hidden in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Leavers:
    """The objects that a deletion affects. *people* and *groups* would go to the recycle bin. *members* are the people in these groups,
    directly or through nested groups; some of them may be in *people* too.
    """

    people: frozenset[str]
    groups: frozenset[str]
    members: frozenset[str]

    @property
    def deleted(self) -> frozenset[str]:
        return self.people | self.groups

    @property
    def remaining(self) -> frozenset[str]:
        """The members of deleted groups who are not deleted themselves."""
        return self.members - self.people


async def leavers_of(connection: Connection, *, source: str = "", group: str | None = None) -> Leavers:
    """Return what would be deleted with the objects of *source*, or with the group that has the id *group*."""
    cursor = await connection.execute(
        """with gone as (select id from grp where deleted_at is null and (source = %(source)s or id = %(group)s::uuid))
        select 'person', id::text from person where source = %(source)s and deleted_at is null
        union all
        select 'group', id::text from gone
        union all
        select distinct 'member', member_id::text from member
        where member_kind = 'User' and group_id in (select groups_below(array(select id from gone)))""",
        {"source": source, "group": group},
    )
    found: dict[str, set[str]] = {"person": set(), "group": set(), "member": set()}
    for what, object_id in await cursor.fetchall():
        found[what].add(object_id)
    return Leavers(frozenset(found["person"]), frozenset(found["group"]), frozenset(found["member"]))


async def hide_groups(connection: Connection, groups: Collection[str]) -> None:
    """Put *groups* into the recycle bin without recording or marking anything. Call this only in a transaction that is rolled back, and
    call `lock_directory` first.
    """
    await connection.execute(
        "update grp set deleted_at = now() where id = any(%s::uuid[]) and deleted_at is null", (sorted(groups),)
    )
