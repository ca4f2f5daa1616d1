"""Groups and their members. A group can contain groups; triggers keep the transitive closure in nested_group up to date."""

# ruff: noqa: S608  # statements are built from constants of this module
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_id, as_rows


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group, in the recycle bin or not, without its members."""

    id: str
    source: str
    anchor: str
    display_name: str
    attributes: Mapping[str, Any]
    deleted_at: datetime | None = None
    version: int = 0
    rule: Sequence[Mapping[str, Any]] | None = None  # scoping filters that decide who is a member

    @property
    def is_dynamic(self) -> bool:
        return self.rule is not None


@dataclass(frozen=True, slots=True)
class Edge:
    """One direct membership."""

    group_id: str
    member_id: str
    member_kind: str


_COLUMNS = "id::text, source, anchor, display_name, attributes, deleted_at, version, rule"
_SHAPE = """jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, source text, anchor text, display_name text, attributes jsonb,
    deleted_at timestamptz, row_hash text, generation bigint)"""


async def read_groups(connection: Connection, ids: Sequence[str]) -> dict[str, GroupRow]:
    async with connection.cursor(row_factory=class_row(GroupRow)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from grp where id = any(%s::uuid[]) order by id", (list(ids),))
        return {row.id: row for row in await cursor.fetchall()}


async def names_that_find_one(connection: Connection, names: Sequence[str]) -> frozenset[str]:
    """Return, in lower case, those of *names* that are the display name of exactly one group outside the recycle bin. Names in the form of
    an id are left out.
    """
    wanted = sorted({name.lower() for name in names if as_id(name) is None})
    cursor = await connection.execute(
        """select lower(display_name) from grp where deleted_at is null and lower(display_name) = any(%s)
        group by lower(display_name) having count(*) = 1""",
        (wanted,),
    )
    return frozenset(row[0] for row in await cursor.fetchall())


async def find_groups(connection: Connection, name: str, *, is_deleted: bool = False) -> list[GroupRow]:
    """Return the groups with the display name *name* (ignoring case), or the group with the id *name*. Several groups may have the same
    display name. A *name* in the form of an id is never compared with display names, because a source may name a group after the id of
    another group.
    """
    given = as_id(name)
    condition = "lower(display_name) = lower(%(name)s)" if given is None else "id = %(id)s"
    async with connection.cursor(row_factory=class_row(GroupRow)) as cursor:
        await cursor.execute(
            f"""select {_COLUMNS} from grp
            where {condition} and deleted_at is {"not null" if is_deleted else "null"}
            order by deleted_at desc nulls first, id""",
            {"name": name, "id": given},
        )
        return await cursor.fetchall()


async def ids_of_keys(connection: Connection, source: str, keys: Iterable[str]) -> dict[str, str]:
    """Map each key to the id of a group. A key is an anchor of *source*, or a display name. A display name counts only if exactly one of
    the source's groups outside the recycle bin has it.
    """
    cursor = await connection.execute(
        """select display_name, min(id::text) from grp
        where source = %(source)s and deleted_at is null and display_name = any(%(keys)s)
        group by display_name having count(*) = 1
        union all
        select anchor, id::text from grp where source = %(source)s and anchor = any(%(keys)s)""",
        {"keys": list(set(keys)), "source": source},
    )
    return dict(await cursor.fetchall())


async def insert_groups(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    await connection.execute(
        f"""insert into grp (id, source, anchor, display_name, attributes, row_hash, generation)
        select id, source, anchor, display_name, attributes, decode(row_hash, 'hex'), coalesce(generation, 0) from {_SHAPE}""",
        {"rows": as_rows(rows)},
    )


async def update_groups(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Overwrite groups by id. If *row_hash* is null, the stored hash is kept; if it is empty, the hash is cleared."""
    await connection.execute(
        f"""update grp set display_name = given.display_name, attributes = given.attributes, deleted_at = given.deleted_at,
            row_hash = case given.row_hash when '' then null else coalesce(decode(given.row_hash, 'hex'), grp.row_hash) end,
            generation = coalesce(given.generation, grp.generation), version = nextval('object_version'), updated_at = now()
        from {_SHAPE} where grp.id = given.id""",
        {"rows": as_rows(rows)},
    )


async def due_for_purge(connection: Connection, before: datetime, *, limit: int) -> list[GroupRow]:
    async with connection.cursor(row_factory=class_row(GroupRow)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from grp where deleted_at < %s order by id limit %s", (before, limit))
        return await cursor.fetchall()


async def remove_groups(connection: Connection, ids: Sequence[str]) -> None:
    """Delete groups permanently, with their members, memberships and assignments."""
    for statement in (
        "delete from member where member_id = any(%s::uuid[])",
        "delete from assignment where principal_id = any(%s::uuid[])",
        "delete from grp where id = any(%s::uuid[])",
    ):
        await connection.execute(statement, (list(ids),))


async def list_groups(
    connection: Connection,
    *,
    search: str = "",
    is_deleted: bool | None = False,
    limit: int = 1000,
    after: tuple[str, str] = ("", ""),
) -> list[tuple[GroupRow, int]]:
    """List groups by display name, each with the number of its direct members. *after* is the name and id of the last group on the
    previous page.
    """
    cursor = await connection.execute(
        f"""select {_COLUMNS}, (select count(*) from member where group_id = grp.id) from grp
        where (%(search)s = '' or strpos(lower(display_name), lower(%(search)s)) > 0)
            and (%(is_deleted)s::boolean is null or (deleted_at is not null) = %(is_deleted)s)
            and (%(name)s = '' or (lower(display_name), id::text) > (lower(%(name)s), %(id)s))
        order by lower(display_name), id::text limit %(limit)s""",
        {"search": search, "is_deleted": is_deleted, "limit": limit, "name": after[0], "id": after[1]},
    )
    return [(GroupRow(*row[:-1]), row[-1]) for row in await cursor.fetchall()]


async def members_of(connection: Connection, group: str, *, limit: int = 1000) -> list[dict[str, Any]]:
    """Return the direct members, sorted by name, each with id, kind, name and is_deleted."""
    cursor = await connection.execute(
        """select * from (
            select member_id::text as id, member_kind as kind, coalesce(person.user_principal_name, grp.display_name) as name,
                coalesce(person.deleted_at, grp.deleted_at) is not null as is_deleted
            from member
            left join person on person.id = member_id and member_kind = 'User'
            left join grp on grp.id = member_id and member_kind = 'Group'
            where group_id = %(group)s
        ) as named
        order by lower(name), id limit %(limit)s""",
        {"group": group, "limit": limit},
    )
    return [dict(zip(("id", "kind", "name", "is_deleted"), row, strict=True)) for row in await cursor.fetchall()]


async def edges_of_groups(connection: Connection, groups: Sequence[str]) -> list[Edge]:
    """Return every direct membership in *groups*."""
    async with connection.cursor(row_factory=class_row(Edge)) as cursor:
        await cursor.execute(
            "select group_id::text, member_id::text, member_kind from member where group_id = any(%s::uuid[])",
            (list(groups),),
        )
        return await cursor.fetchall()


async def edges_of_members(connection: Connection, members: Sequence[str]) -> list[Edge]:
    """Return every direct membership of *members*."""
    async with connection.cursor(row_factory=class_row(Edge)) as cursor:
        await cursor.execute(
            "select group_id::text, member_id::text, member_kind from member where member_id = any(%s::uuid[])",
            (list(members),),
        )
        return await cursor.fetchall()


async def groups_of_people(connection: Connection, app: str, people: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return each membership of *people* as the person's id, the group's id and the group's name. Memberships through nested groups are
    included if *app* flattens nested groups.
    """
    cursor = await connection.execute(
        """select one.member_id::text, grp.id::text, grp.display_name
        from (
            select member_id, group_id from member where member_id = any(%(people)s::uuid[])
            union
            select member.member_id, nested_group.root
            from member join nested_group on nested_group.group_id = member.group_id
            where member.member_id = any(%(people)s::uuid[])
                and exists (select from job where job.app::text = %(app)s and job.nested_groups)
        ) as one
        join grp on grp.id = one.group_id and grp.deleted_at is null
        order by 1, 3, 2""",
        {"app": app, "people": list(people)},
    )
    return await cursor.fetchall()


async def nested_ways(connection: Connection, app: str, person: str, *, limit: int) -> list[tuple[str, str]]:
    """Return the assigned groups that contain the person through a nested group, each with the name of one such nested group."""
    cursor = await connection.execute(
        """select top.display_name, min(inner_group.display_name)
        from member
        join nested_group on nested_group.group_id = member.group_id and nested_group.root <> member.group_id
        join assignment on assignment.app = %(app)s and assignment.principal_id = nested_group.root
        join grp as top on top.id = nested_group.root and top.deleted_at is null
        join grp as inner_group on inner_group.id = member.group_id and inner_group.deleted_at is null
        where member.member_id = %(person)s
        group by top.id, top.display_name order by lower(top.display_name), top.id limit %(limit)s""",
        {"app": app, "person": person, "limit": limit},
    )
    return await cursor.fetchall()


async def add_edges(connection: Connection, edges: Iterable[Edge], *, generation: int = 0) -> list[Edge]:
    """Add memberships. Returns the memberships that did not exist before."""
    groups, members, kinds = _columns(edges)
    async with connection.cursor(row_factory=class_row(Edge)) as cursor:
        await cursor.execute(
            """insert into member (group_id, member_id, member_kind, generation)
            select distinct on (1, 2) group_id, member_id, kind, %s::bigint
            from unnest(%s::uuid[], %s::uuid[], %s::text[]) as given (group_id, member_id, kind) order by 1, 2
            on conflict do nothing returning group_id::text, member_id::text, member_kind""",
            (generation, groups, members, kinds),
        )
        return await cursor.fetchall()


async def remove_edges(connection: Connection, edges: Iterable[Edge]) -> list[Edge]:
    """Remove memberships. Returns those that existed."""
    groups, members, _ = _columns(edges)
    async with connection.cursor(row_factory=class_row(Edge)) as cursor:
        await cursor.execute(
            """delete from member using unnest(%s::uuid[], %s::uuid[]) as given (group_id, member_id)
            where member.group_id = given.group_id and member.member_id = given.member_id
            returning member.group_id::text, member.member_id::text, member.member_kind""",
            (groups, members),
        )
        return await cursor.fetchall()


async def await_members(connection: Connection, source: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Store memberships whose member has not been imported yet. Each is a pair: the id of the group, and the key of the member."""
    wanted = sorted(set(pairs))
    await connection.execute(
        """insert into awaited_member (group_id, member_anchor, source)
        select group_id, member_anchor, %s from unnest(%s::uuid[], %s::text[]) as given (group_id, member_anchor)
        on conflict do nothing""",
        (source, [group for group, _ in wanted], [member for _, member in wanted]),
    )


async def take_awaited(connection: Connection, source: str, ids_by_key: Mapping[str, tuple[str, str]]) -> list[Edge]:
    """Remove the stored memberships whose member has now been imported, and return them so that they can be added. *ids_by_key* maps the
    key of each imported member to the member's id and kind.
    """
    cursor = await connection.execute(
        "delete from awaited_member where source = %s and member_anchor = any(%s) returning group_id::text, member_anchor",
        (source, list(ids_by_key)),
    )
    return [Edge(group, *ids_by_key[key]) for group, key in await cursor.fetchall()]


def _columns(edges: Iterable[Edge]) -> tuple[list[str], list[str], list[str]]:
    rows = list(edges)
    return [e.group_id for e in rows], [e.member_id for e in rows], [e.member_kind for e in rows]
