"""Assignments of people and groups to applications, and the access that each object gets through them."""

# ruff: noqa: S608  # statements are built from constants of this module only
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.patterns import part_of


@dataclass(frozen=True, slots=True)
class AssignmentRow:
    """One assignment of a person or group."""

    id: str
    app: str
    app_name: str
    kind: str
    principal_id: str
    principal: str  # user principal name, or display name of a group
    role_id: str
    role_value: str
    role_name: str
    created_at: datetime
    is_deleted: bool = False  # the person or group is in the recycle bin, or purged

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Return the position of the row in lists."""
        return self.kind, self.principal, self.role_value, self.id


@dataclass(frozen=True, slots=True)
class EntitlementRow:
    """One way in which an object is assigned: directly or through a group."""

    app: str
    object_id: str
    role_id: str
    via_group: str | None
    via_group_name: str


_PRINCIPAL = "coalesce(person.user_principal_name, grp.display_name, assignment.principal_id::text)"
_PRINCIPALS_AND_ROLES = """left join person on person.id = assignment.principal_id and assignment.principal_kind = 'User'
left join grp on grp.id = assignment.principal_id and assignment.principal_kind = 'Group'
left join app_role on app_role.app = assignment.app and app_role.id = assignment.role_id
"""
_SELECT = f"""select assignment.id::text, assignment.app::text, application.name as app_name, assignment.principal_kind as kind,
    assignment.principal_id::text, {_PRINCIPAL} as principal,
    assignment.role_id::text, coalesce(app_role.value, '') as role_value,
    coalesce(app_role.display_name, 'Default Access') as role_name, assignment.created_at,
    case assignment.principal_kind when 'User' then person.id is null or person.deleted_at is not null
        else grp.id is null or grp.deleted_at is not null end as is_deleted
from assignment
join application on application.id = assignment.app
{_PRINCIPALS_AND_ROLES}"""


async def page_of_assignments(
    connection: Connection, app: str, *, search: str, kind: str, after: Sequence[str], limit: int
) -> list[AssignmentRow]:
    """Read one page of the assignments of one application: groups before people, each by name.

    *after* is the `place` of the last row on the previous page, or empty for the first page. *search* is a part of the name. *kind* is
    "User", "Group" or "" for both.
    """
    place = f"(assignment.principal_kind, {_PRINCIPAL}, coalesce(app_role.value, ''), assignment.id::text)"
    condition = f"""where assignment.app = %s and (%s = '' or assignment.principal_kind = %s) and (%s = '' or {_PRINCIPAL} ilike %s)
    and (%s or {place} > (%s, %s, %s, %s)) order by kind, principal, role_value, id limit %s"""
    start = tuple(after) if after else ("", "", "", "")
    return await _read(connection, condition, (app, kind, kind, search, part_of(search), not after, *start, limit))


async def assignments_with_ids(connection: Connection, app: str, ids: Sequence[str]) -> list[AssignmentRow]:
    """Return the assignments of one application whose ids are in *ids*: groups before people, each by name."""
    condition = "where assignment.app = %s and assignment.id::text = any(%s) order by kind, principal, role_value"
    return await _read(connection, condition, (app, [one.lower() for one in ids]))


async def assignments_of_applications(connection: Connection, apps: Sequence[str]) -> list[AssignmentRow]:
    """Return the assignments of several applications: groups before people, each by name."""
    return await _read(
        connection, "where assignment.app = any(%s::uuid[]) order by kind, principal, role_value", (list(apps),)
    )


async def digests_of_applications(connection: Connection, apps: Sequence[str]) -> dict[str, str]:
    """Return a digest of the assignments of each application. The digest changes whenever a value in an `AssignmentRow` of the application
    changes.

    Computing digests takes about a tenth of the time of `assignments_of_applications`, because PostgreSQL neither sorts nor formats nor
    sends rows. Assignments, people, groups and roles are hashed separately, which takes two thirds of the time of hashing the joined rows.
    Each hash contains an id, so that two people who exchange their names change the sum.
    """
    cursor = await connection.execute(
        """with of_assignments as (
            select app, count(*) || ' ' || sum(uuid_hash_extended(id, uuid_hash_extended(principal_id,
                uuid_hash_extended(role_id, ascii(principal_kind))))) as digest
            from assignment where app = any(%(apps)s::uuid[]) group by app
        ), of_people as (
            select assignment.app, sum(hashtextextended(person.user_principal_name, uuid_hash_extended(person.id,
                (person.deleted_at is null)::int))) as digest
            from assignment join person on person.id = assignment.principal_id
            where assignment.app = any(%(apps)s::uuid[]) group by assignment.app
        ), of_groups as (
            select assignment.app, sum(hashtextextended(grp.display_name, uuid_hash_extended(grp.id,
                (grp.deleted_at is null)::int))) as digest
            from assignment join grp on grp.id = assignment.principal_id
            where assignment.principal_kind = 'Group' and assignment.app = any(%(apps)s::uuid[]) group by assignment.app
        ), of_roles as (
            select app, sum(hashtextextended(value, hashtextextended(display_name, uuid_hash_extended(id, 0)))) as digest
            from app_role where app = any(%(apps)s::uuid[]) group by app
        )
        select app::text, concat_ws('/', of_assignments.digest, coalesce(of_people.digest, 0), coalesce(of_groups.digest, 0),
            coalesce(of_roles.digest, 0))
        from of_assignments left join of_people using (app) left join of_groups using (app) left join of_roles using (app)""",
        {"apps": list(apps)},
    )
    return dict(await cursor.fetchall())


async def assignments_of_principal(connection: Connection, principal: str, *, app: str = "") -> list[AssignmentRow]:
    """Return the direct assignments of one person or group to application *app*, or to all applications if *app* is empty."""
    condition = (
        "where assignment.principal_id = %s and (%s = '' or assignment.app::text = %s) order by app_name, role_value"
    )
    return await _read(connection, condition, (principal, app, app))


async def insert_assignment(connection: Connection, app: str, *, kind: str, principal: str, role: str) -> bool:
    """Assign the principal. Returns False if the same assignment already exists."""
    cursor = await connection.execute(
        """insert into assignment (app, principal_kind, principal_id, role_id) values (%s, %s, %s, %s)
        on conflict (app, principal_id, role_id) do nothing""",
        (app, kind, principal, role),
    )
    return cursor.rowcount == 1


async def delete_assignments(connection: Connection, ids: Sequence[str]) -> None:
    await connection.execute("delete from assignment where id = any(%s::uuid[])", (list(ids),))


_ENTITLEMENTS = """select held.app::text, held.object_id::text, held.role_id::text, held.via_group::text,
    coalesce(grp.display_name, '') as via_group_name
from effective_assignment as held
left join app_role on app_role.app = held.app and app_role.id = held.role_id
left join grp on grp.id = held.via_group
where {}
order by held.object_id, app_role.position nulls last, held.via_group is not null, via_group_name, held.via_group"""


async def entitlements(connection: Connection, app: str, ids: Sequence[str]) -> list[EntitlementRow]:
    """Return every assignment of *ids* to *app*. The assignments of an object are in the order of the application's roles, with default
    access last; for the same role, direct assignments come before inherited ones.
    """
    async with connection.cursor(row_factory=class_row(EntitlementRow)) as cursor:
        await cursor.execute(
            _ENTITLEMENTS.format("held.app = %s and held.object_id = any(%s::uuid[])"), (app, list(ids))
        )
        return await cursor.fetchall()


async def entitlements_everywhere(connection: Connection, object_id: str) -> list[EntitlementRow]:
    """Return every assignment of one object to any application; the assignments to one application are in the order of `entitlements`."""
    async with connection.cursor(row_factory=class_row(EntitlementRow)) as cursor:
        await cursor.execute(_ENTITLEMENTS.format("held.object_id = %s"), (object_id,))
        return await cursor.fetchall()


async def count_assigned(connection: Connection, app: str) -> tuple[int, int]:
    """Count the assignments of the application, and the people outside the recycle bin who get access through them."""
    cursor = await connection.execute(
        """select (select count(*) from assignment where app = %(app)s), (select count(*) from person where deleted_at is null
            and id in (select object_id from effective_assignment where app = %(app)s))""",
        {"app": app},
    )
    row = await cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


async def sample_person(connection: Connection, app: str) -> str:
    """Return the user principal name of an active person, or "" if there is none. A person who is assigned to *app* is preferred."""
    for condition in (
        "where id in (select object_id from effective_assignment where app = %s) and",
        "where %s <> '' and",
    ):
        cursor = await connection.execute(
            f"select user_principal_name from person {condition} deleted_at is null and account_enabled "
            "order by lower(user_principal_name) limit 1",
            (app,),
        )
        if row := await cursor.fetchone():
            return str(row[0])
    return ""


async def _read(connection: Connection, condition: str, parameters: Sequence[Any]) -> list[AssignmentRow]:
    async with connection.cursor(row_factory=class_row(AssignmentRow)) as cursor:
        await cursor.execute(_SELECT + condition, parameters)
        return await cursor.fetchall()
