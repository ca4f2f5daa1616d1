"""Sources of people and groups, their passes, and the holds that a source that shrank leaves.

What a pass has seen is noted in temporary tables of the connection that does the pass: a row that did not change is not written,
not even to say that it was seen.
"""

# ruff: noqa: S101, S608  # statements are put together from constants of this module; a row that must be there is there
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One registered source."""

    name: str
    kind: str
    display_name: str
    config: Mapping[str, Any]
    generation: int
    completed_generation: int
    watermark: Mapping[str, Any] | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class HoldRow:
    """Leavers that wait for a decision because too many of them came at once."""

    id: str
    source: str
    kind: str
    generation: int
    missing: int
    present: int
    reason: str
    created_at: datetime


_SOURCE = "name, kind, display_name, config, generation, completed_generation, watermark, created_at"
_TABLES = {"User": "person", "Group": "grp"}
_HOLD = "id::text, source, kind, generation, missing, present, reason, created_at"


async def read_source(connection: Connection, name: str) -> SourceRecord | None:
    async with connection.cursor(row_factory=class_row(SourceRecord)) as cursor:
        await cursor.execute(f"select {_SOURCE} from source where name = %s", (name,))
        return await cursor.fetchone()


async def list_sources(connection: Connection) -> list[SourceRecord]:
    async with connection.cursor(row_factory=class_row(SourceRecord)) as cursor:
        await cursor.execute(f"select {_SOURCE} from source order by name")
        return await cursor.fetchall()


async def save_source(
    connection: Connection, name: str, *, kind: str, display_name: str, config: Mapping[str, Any]
) -> None:
    """Register a source, or overwrite what is known of it."""
    await connection.execute(
        """insert into source (name, kind, display_name, config) values (%s, %s, %s, %s)
        on conflict (name) do update set kind = excluded.kind, display_name = excluded.display_name, config = excluded.config""",
        (name, kind, display_name, as_json(config)),
    )


async def save_watermark(connection: Connection, name: str, watermark: Mapping[str, Any]) -> None:
    await connection.execute("update source set watermark = %s where name = %s", (as_json(watermark), name))


async def remove_source(connection: Connection, name: str, *, heir: str) -> None:
    """Remove a source. What it has brought and is not yet purged goes to *heir*, under keys that no row answers to."""
    for table in ("person", "grp"):
        await connection.execute(
            f"update {table} set source = %(heir)s, anchor = source || '/' || anchor, row_hash = null where source = %(name)s",
            {"heir": heir, "name": name},
        )
    await connection.execute("delete from awaited_member where source = %s", (name,))
    await connection.execute("delete from source where name = %s", (name,))


async def live_objects(connection: Connection, name: str, kind: str, *, limit: int) -> list[str]:
    """Ids of live people or groups of a source."""
    cursor = await connection.execute(
        f"select id::text from {_TABLES[kind]} where source = %s and deleted_at is null order by id limit %s",
        (name, limit),
    )
    return [row[0] for row in await cursor.fetchall()]


async def count_objects(connection: Connection, name: str) -> dict[str, int]:
    """How many live people and groups a source has brought, and how many in the recycle bin."""
    cursor = await connection.execute(
        """select count(*) filter (where deleted_at is null), count(*) filter (where deleted_at is not null),
            (select count(*) from grp where source = %(name)s and deleted_at is null),
            (select count(*) from grp where source = %(name)s and deleted_at is not null)
        from person where source = %(name)s""",
        {"name": name},
    )
    row = await cursor.fetchone() or (0, 0, 0, 0)
    return dict(zip(("people", "deletedPeople", "groups", "deletedGroups"), row, strict=True))


async def begin_pass(connection: Connection, name: str) -> int:
    """Begin a full pass: its number. What earlier passes of this connection had seen is forgotten."""
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


async def complete_pass(connection: Connection, name: str, generation: int) -> None:
    await connection.execute("update source set completed_generation = %s where name = %s", (generation, name))


async def note_seen(connection: Connection, kind: str, lines: Mapping[str, int]) -> dict[str, int]:
    """Note that *lines* (key to line) were read; returns those keys that were read before, with their first line."""
    cursor = await connection.execute(
        """with given as (select * from unnest(%(keys)s::text[], %(lines)s::bigint[]) as row (key, line)),
        before as (select seen.key, seen.line from seen join given using (key) where seen.kind = %(kind)s),
        noted as (insert into seen (kind, key, line) select %(kind)s, key, line from given on conflict do nothing)
        select key, line from before""",
        {"kind": kind, "keys": list(lines), "lines": list(lines.values())},
    )
    return dict(await cursor.fetchall())


async def note_seen_edges(connection: Connection, edges: Iterable[tuple[str, str]]) -> None:
    """Note memberships that were read: (group id, member id or the key that nobody answers to yet)."""
    wanted = list(set(edges))
    await connection.execute(
        "insert into seen_edge select * from unnest(%s::uuid[], %s::text[]) on conflict do nothing",
        ([group for group, _ in wanted], [member for _, member in wanted]),
    )


async def refresh_statistics(connection: Connection, kind: str) -> None:
    """Tell the planner of PostgreSQL how many there are now; its own round comes a minute late."""
    for table in {"User": ("person",), "Group": ("grp",), "Member": ("member", "awaited_member")}[kind]:
        await connection.execute(f"analyze {table}")


async def count_unseen(connection: Connection, source: str, kind: str) -> tuple[int, int]:
    """How many live objects of *source* this pass did not see, and how many live ones there are."""
    cursor = await connection.execute(
        f"""select count(*) filter (where seen.key is null), count(*)
        from {_TABLES[kind]} as object left join seen on seen.kind = %(kind)s and seen.key = object.anchor
        where object.source = %(source)s and object.deleted_at is null""",
        {"source": source, "kind": kind},
    )
    row = await cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


async def unseen(connection: Connection, source: str, kind: str, *, limit: int) -> list[str]:
    """Ids of live objects of *source* that this pass did not see."""
    cursor = await connection.execute(
        f"""select object.id::text from {_TABLES[kind]} as object
        where object.source = %(source)s and object.deleted_at is null
            and not exists (select from seen where seen.kind = %(kind)s and seen.key = object.anchor)
        order by object.id limit %(limit)s""",
        {"source": source, "kind": kind, "limit": limit},
    )
    return [row[0] for row in await cursor.fetchall()]


_EDGE_UNSEEN = """not exists (select from seen_edge
    where seen_edge.group_id = member.group_id and seen_edge.member_key = member.member_id::text)"""
_IN_GROUP = "(%(group)s::uuid is null or member.group_id = %(group)s)"
_HELD = {
    kind: f"""select %(hold)s, object.id, null from {table} as object
    where object.source = %(source)s and object.deleted_at is null
        and not exists (select from seen where seen.kind = '{kind}' and seen.key = object.anchor)"""
    for kind, table in _TABLES.items()
} | {
    "Member": f"""select %(hold)s, member.group_id, member.member_id from member join grp on grp.id = member.group_id
    where grp.source = %(source)s and grp.deleted_at is null and {_IN_GROUP} and {_EDGE_UNSEEN}"""
}


async def count_unseen_edges(connection: Connection, source: str, group: str | None) -> tuple[int, int]:
    """How many memberships in live groups of *source* (or in *group* alone) this pass did not see, and how many there are.

    Those of deleted people do not count: they left with their people, who were guarded themselves.
    """
    cursor = await connection.execute(
        f"""select count(*) filter (where {_EDGE_UNSEEN}), count(*)
        from member join grp on grp.id = member.group_id
        left join person on person.id = member.member_id
        where grp.source = %(source)s and grp.deleted_at is null and person.deleted_at is null and {_IN_GROUP}""",
        {"source": source, "group": group},
    )
    row = await cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


async def unseen_edges(
    connection: Connection, source: str, group: str | None, *, limit: int
) -> list[tuple[str, str, str]]:
    """Memberships in live groups of *source* (or in *group* alone) that this pass did not see."""
    cursor = await connection.execute(
        f"""select member.group_id::text, member.member_id::text, member.member_kind
        from member join grp on grp.id = member.group_id
        where grp.source = %(source)s and grp.deleted_at is null and {_IN_GROUP} and {_EDGE_UNSEEN}
        order by 1, 2 limit %(limit)s""",
        {"source": source, "group": group, "limit": limit},
    )
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


async def forget_unseen_awaited(connection: Connection, source: str, group: str | None) -> None:
    """Stop waiting for members that this pass no longer named."""
    await connection.execute(
        """delete from awaited_member using grp
        where grp.id = awaited_member.group_id and grp.source = %(source)s
            and (%(group)s::uuid is null or grp.id = %(group)s) and not exists (select from seen_edge
            where seen_edge.group_id = awaited_member.group_id and seen_edge.member_key = awaited_member.member_anchor)""",
        {"source": source, "group": group},
    )


async def open_holds(connection: Connection, source: str = "") -> list[HoldRow]:
    """Holds that nobody has decided yet, of one source or of all."""
    async with connection.cursor(row_factory=class_row(HoldRow)) as cursor:
        await cursor.execute(
            f"""select {_HOLD} from source_hold
            where decided_at is null and (%(source)s = '' or source = %(source)s) order by source, kind""",
            {"source": source},
        )
        return await cursor.fetchall()


async def hold_leavers(
    connection: Connection,
    source: str,
    kind: str,
    *,
    generation: int,
    missing: int,
    present: int,
    reason: str,
    only_group: str | None = None,
) -> None:
    """Open a hold, or bring the open one up to date, with those who would leave by what this pass has seen."""
    cursor = await connection.execute(
        """insert into source_hold (source, kind, generation, missing, present, reason) values (%s, %s, %s, %s, %s, %s)
        on conflict (source, kind) where decided_at is null do update set generation = excluded.generation,
            missing = excluded.missing, present = excluded.present, reason = excluded.reason, created_at = now()
        returning id""",
        (source, kind, generation, missing, present, reason),
    )
    row = await cursor.fetchone()
    assert row is not None, "an upsert returns its row"
    await connection.execute(
        "delete from source_hold_object where hold = %(hold)s and (%(group)s::uuid is null or object_id = %(group)s)",
        {"hold": row[0], "group": only_group},
    )
    await connection.execute(
        "insert into source_hold_object (hold, object_id, member_id) " + _HELD[kind],
        {"hold": row[0], "source": source, "group": only_group},
    )


async def held_objects(connection: Connection, hold: str, *, limit: int) -> list[tuple[str, str | None]]:
    """Take up to *limit* of those whom a hold keeps out of the list: (object id, member id where a membership is held)."""
    cursor = await connection.execute(
        """with taken as (select ctid from source_hold_object where hold = %s limit %s)
        delete from source_hold_object using taken where source_hold_object.ctid = taken.ctid
        returning object_id::text, member_id::text""",
        (hold, limit),
    )
    return [(row[0], row[1]) for row in await cursor.fetchall()]


async def decide_hold(connection: Connection, hold: str, decision: str, *, actor: str) -> None:
    await connection.execute(
        "update source_hold set decided_at = now(), decision = %s, decided_by = %s where id = %s",
        (decision, actor, hold),
    )


async def lift_hold(connection: Connection, source: str, kind: str, group: str | None = None) -> None:
    """Remove an open hold that has lost its cause: a later pass was complete and nobody is missing in number.

    A pass over the members of one *group* says nothing of what is held in others.
    """
    given = {"source": source, "kind": kind, "group": group}
    await connection.execute(
        """delete from source_hold_object using source_hold as hold
        where hold.id = source_hold_object.hold and hold.source = %(source)s and hold.kind = %(kind)s
            and hold.decided_at is null and (%(group)s::uuid is null or source_hold_object.object_id = %(group)s)""",
        given,
    )
    await connection.execute(
        """delete from source_hold as hold where source = %(source)s and kind = %(kind)s and decided_at is null
            and not exists (select from source_hold_object where source_hold_object.hold = hold.id)""",
        given,
    )
