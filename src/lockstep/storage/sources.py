"""Sources of people and groups, and the passes over them.

A pass records the rows that it has seen in temporary tables of its connection. Rows of the directory are therefore not written merely to
mark them as seen.
"""

# ruff: noqa: S101, S608  # statements are built from constants of this module; an asserted row always exists
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.engine.rules.durations import parse_duration
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json
from lockstep.storage.notices import Topic, notify


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One registered source."""

    name: str
    kind: str
    display_name: str
    config: Mapping[str, Any]
    generation: int
    watermark: Mapping[str, Any] | None
    created_at: datetime
    operator_files: Sequence[str] = ()


_SOURCE = "name, kind, display_name, config, generation, watermark, created_at, operator_files"
TABLES = {"User": "person", "Group": "grp"}


async def read_source(connection: Connection, name: str) -> SourceRecord | None:
    async with connection.cursor(row_factory=class_row(SourceRecord)) as cursor:
        await cursor.execute(f"select {_SOURCE} from source where name = %s", (name,))
        return await cursor.fetchone()


async def list_sources(connection: Connection) -> list[SourceRecord]:
    async with connection.cursor(row_factory=class_row(SourceRecord)) as cursor:
        await cursor.execute(f"select {_SOURCE} from source order by name")
        return await cursor.fetchall()


async def save_source(
    connection: Connection, name: str, *, kind: str, display_name: str, config: Mapping[str, Any],
    operator_files: Sequence[str] = (),
) -> None:  # fmt: skip
    """Register a source, or overwrite its registration. *operator_files* are the paths that the operator of the machine specified."""
    await connection.execute(
        """insert into source (name, kind, display_name, config, operator_files) values (%s, %s, %s, %s, %s)
        on conflict (name) do update set kind = excluded.kind, display_name = excluded.display_name, config = excluded.config,
            operator_files = excluded.operator_files""",
        (name, kind, display_name, as_json(config), list(operator_files)),
    )


async def save_config(connection: Connection, name: str, config: Mapping[str, Any]) -> None:
    await connection.execute("update source set config = %s where name = %s", (as_json(config), name))


async def note_reading(connection: Connection, name: str, noted: Mapping[str, Any]) -> None:
    """Merge *noted* into the facts stored about the last import: `keys` (by kind), `readAt`, `failure`."""
    await connection.execute(
        "update source set watermark = coalesce(watermark, '{}') || %s::jsonb where name = %s", (as_json(noted), name)
    )
    await notify(connection, Topic.SOURCE, name=name)


async def due_for_reading(connection: Connection) -> list[str]:
    """Return the sources whose interval has passed since the last import. Sources that were never imported come first."""
    cursor = await connection.execute(
        """select name, config->>'every', coalesce(extract(epoch from now() - (watermark->>'readAt')::timestamptz), 'infinity')
        from source where config->>'every' is not null order by 3 desc, 1"""
    )
    found = [(name, parse_duration(every), float(seconds)) for name, every, seconds in await cursor.fetchall()]
    return [name for name, every, seconds in found if every is not None and seconds >= every.total_seconds()]


async def rename_source(connection: Connection, name: str, new_name: str, *, is_taken_over: bool) -> None:
    """Rename a source and move its objects to the new name.

    *is_taken_over* is true if a source with the new name already exists. The objects and the holds of the renamed source then move to that
    source. The holds that it had itself are deleted. It keeps its own configuration. The values in the watermark of the renamed source
    replace those in its own watermark.
    """
    if is_taken_over:
        await connection.execute(
            "update source set watermark = coalesce(watermark, '{}') || coalesce((select watermark from source where name = %s), '{}')"
            " where name = %s",
            (name, new_name),
        )
        await connection.execute("delete from source_hold where source = %s", (new_name,))
    else:
        await connection.execute(
            """insert into source (name, kind, display_name, config, generation, watermark, created_at, operator_files)
            select %(new)s, kind, case display_name when name then %(new)s else display_name end, config, generation,
                watermark, created_at, operator_files
            from source where name = %(old)s""",
            {"old": name, "new": new_name},
        )
    for table in ("person", "grp", "source_hold", "awaited_member", "source_run", "source_upload"):
        await connection.execute(f"update {table} set source = %s where source = %s", (new_name, name))
    await connection.execute("delete from source where name = %s", (name,))


async def remove_source(connection: Connection, name: str, *, heir: str) -> None:
    """Remove a source. Its objects move to the source *heir* and get keys of the form `<source>/<key>`, so that no row of *heir* matches
    these objects.
    """
    for table in ("person", "grp"):
        await connection.execute(
            f"update {table} set source = %(heir)s, anchor = source || '/' || anchor, row_hash = null where source = %(name)s",
            {"heir": heir, "name": name},
        )
    for table in ("awaited_member", "source_run", "source_upload"):
        await connection.execute(f"delete from {table} where source = %s", (name,))
    await connection.execute("delete from source where name = %s", (name,))


async def live_objects(connection: Connection, name: str, kind: str, *, limit: int) -> list[str]:
    """Return the ids of up to *limit* people or groups of a source. Objects in the recycle bin are left out."""
    cursor = await connection.execute(
        f"select id::text from {TABLES[kind]} where source = %s and deleted_at is null order by id limit %s",
        (name, limit),
    )
    return [row[0] for row in await cursor.fetchall()]


async def count_objects(connection: Connection, name: str) -> dict[str, int]:
    """Count the people and groups of a source. Those in the recycle bin are counted as `deletedPeople` and `deletedGroups`, the others as
    `people` and `groups`.
    """
    return (await count_all_objects(connection, [name]))[name]


async def count_all_objects(connection: Connection, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return what `count_objects` returns, for each of *names*."""
    cursor = await connection.execute(
        """select source, count(*) filter (where kind = 'p' and is_live), count(*) filter (where kind = 'p' and not is_live),
            count(*) filter (where kind = 'g' and is_live), count(*) filter (where kind = 'g' and not is_live)
        from (select 'p' as kind, source, deleted_at is null as is_live from person where source = any(%(names)s)
            union all select 'g', source, deleted_at is null from grp where source = any(%(names)s)) as found
        group by source""",
        {"names": list(names)},
    )
    found = {source: counts for source, *counts in await cursor.fetchall()}
    words = ("people", "deletedPeople", "groups", "deletedGroups")
    return {name: dict(zip(words, found.get(name, (0, 0, 0, 0)), strict=True)) for name in names}


async def begin_pass(connection: Connection, name: str) -> int:
    """Begin a full pass and return its number. Clears the temporary tables of earlier passes on this connection."""
    await connection.execute(
        "create temp table if not exists seen (kind text, key text, line bigint, primary key (kind, key)) on commit preserve rows"
    )
    await connection.execute(
        """create temp table if not exists seen_edge (group_id uuid, member_key text, primary key (group_id, member_key))
        on commit preserve rows"""
    )
    await connection.execute("truncate seen, seen_edge")
    cursor = await connection.execute(
        "update source set generation = generation + 1 where name = %s returning generation", (name,)
    )
    row = await cursor.fetchone()
    assert row is not None, f"there is no source {name}"
    return int(row[0])


async def end_pass(connection: Connection) -> None:
    """Drop the temporary tables of the passes on this connection."""
    await connection.execute("drop table if exists seen, seen_edge")


async def note_seen(connection: Connection, kind: str, lines: Mapping[str, int]) -> dict[str, int]:
    """Record that *lines* (key to line number) were read. Returns the keys that were read before, with their first line."""
    cursor = await connection.execute(
        """with given as (select * from unnest(%(keys)s::text[], %(lines)s::bigint[]) as row (key, line)),
        before as (select seen.key, seen.line from seen join given using (key) where seen.kind = %(kind)s),
        noted as (insert into seen (kind, key, line) select %(kind)s, key, line from given on conflict do nothing)
        select key, line from before""",
        {"kind": kind, "keys": list(lines), "lines": list(lines.values())},
    )
    return dict(await cursor.fetchall())


async def note_seen_edges(connection: Connection, edges: Iterable[tuple[str, str]]) -> None:
    """Record memberships that were read. Each is a pair: the group's id, and the member's id or, if the member has not been imported yet,
    the member's key.
    """
    wanted = list(set(edges))
    await connection.execute(
        "insert into seen_edge select * from unnest(%s::uuid[], %s::text[]) on conflict do nothing",
        ([group for group, _ in wanted], [member for _, member in wanted]),
    )


async def refresh_statistics(connection: Connection, kind: str) -> None:
    """Refresh the planner's statistics of the tables of *kind* now, because autovacuum may run too late."""
    for table in {"User": ("person",), "Group": ("grp",), "Member": ("member", "awaited_member")}[kind]:
        await connection.execute(f"analyze {table}")


async def count_unseen(connection: Connection, source: str, kind: str) -> tuple[int, int]:
    """Return two numbers: the objects of *source* that this pass did not see, and the objects of *source* in total. Objects in the recycle
    bin do not count.
    """
    cursor = await connection.execute(
        f"""select count(*) filter (where seen.key is null), count(*)
        from {TABLES[kind]} as object left join seen on seen.kind = %(kind)s and seen.key = object.anchor
        where object.source = %(source)s and object.deleted_at is null""",
        {"source": source, "kind": kind},
    )
    row = await cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


async def unseen(connection: Connection, source: str, kind: str, *, limit: int) -> list[str]:
    """Return the ids of up to *limit* objects of *source* that this pass did not see. Objects in the recycle bin are left out."""
    cursor = await connection.execute(
        f"""select object.id::text from {TABLES[kind]} as object
        where object.source = %(source)s and object.deleted_at is null
            and not exists (select from seen where seen.kind = %(kind)s and seen.key = object.anchor)
        order by object.id limit %(limit)s""",
        {"source": source, "kind": kind, "limit": limit},
    )
    return [row[0] for row in await cursor.fetchall()]


EDGE_UNSEEN = """not exists (select from seen_edge
    where seen_edge.group_id = member.group_id and seen_edge.member_key = member.member_id::text)"""
IN_GROUP = "(%(group)s::uuid is null or member.group_id = %(group)s)"


async def count_unseen_edges(connection: Connection, source: str, group: str | None) -> tuple[int, int]:
    """Count the memberships in the groups of *source*, or only in *group*: first those that this pass did not see, then all.

    Memberships of deleted people do not count: they ended when the people were deleted, and a separate guard checks those deletions.
    """
    cursor = await connection.execute(
        f"""select count(*) filter (where {EDGE_UNSEEN}), count(*)
        from member join grp on grp.id = member.group_id
        left join person on person.id = member.member_id
        where grp.source = %(source)s and grp.deleted_at is null and person.deleted_at is null and {IN_GROUP}""",
        {"source": source, "group": group},
    )
    row = await cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


async def unseen_edges(
    connection: Connection, source: str, group: str | None, *, limit: int
) -> list[tuple[str, str, str]]:
    """Return the memberships in the groups of *source*, or only in *group*, that this pass did not see."""
    cursor = await connection.execute(
        f"""select member.group_id::text, member.member_id::text, member.member_kind
        from member join grp on grp.id = member.group_id
        where grp.source = %(source)s and grp.deleted_at is null and {IN_GROUP} and {EDGE_UNSEEN}
        order by 1, 2 limit %(limit)s""",
        {"source": source, "group": group, "limit": limit},
    )
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


async def forget_unseen_awaited(connection: Connection, source: str, group: str | None) -> None:
    """Remove the stored memberships that wait for their member to be imported, if this pass did not contain them."""
    await connection.execute(
        """delete from awaited_member using grp
        where grp.id = awaited_member.group_id and grp.source = %(source)s
            and (%(group)s::uuid is null or grp.id = %(group)s) and not exists (select from seen_edge
            where seen_edge.group_id = awaited_member.group_id and seen_edge.member_key = awaited_member.member_anchor)""",
        {"source": source, "group": group},
    )


async def seen_keys(connection: Connection, kind: str, keys: Iterable[str]) -> set[str]:
    """Return the keys in *keys* that this pass has read."""
    cursor = await connection.execute("select key from seen where kind = %s and key = any(%s)", (kind, list(keys)))
    return {row[0] for row in await cursor.fetchall()}
