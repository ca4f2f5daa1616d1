"""Holds: decisions that the import of a source leaves to an administrator. They concern the leavers of a source that shrank, and people
whose key may have changed.

The objects of a hold are computed from what the pass has seen, so these functions read the temporary tables of the pass's connection.
"""

# ruff: noqa: S101, S608  # statements are built from constants of this module; an asserted row always exists
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row
from lockstep.storage.sources import EDGE_UNSEEN, IN_GROUP, TABLES

RENAMING = "Renaming"  # the kind of a hold on people who may have a new key
_HOLD = "id::text, source, kind, generation, missing, present, reason, created_at"
_HELD = {
    kind: f"""select %(hold)s, object.id, null from {table} as object
    where object.source = %(source)s and object.deleted_at is null
        and not exists (select from seen where seen.kind = '{kind}' and seen.key = object.anchor)"""
    for kind, table in TABLES.items()
} | {
    "Member": f"""select %(hold)s, member.group_id, member.member_id from member join grp on grp.id = member.group_id
    where grp.source = %(source)s and grp.deleted_at is null and {IN_GROUP} and {EDGE_UNSEEN}"""
}


@dataclass(frozen=True, slots=True)
class HoldRow:
    """One hold that waits for a decision."""

    id: str
    source: str
    kind: str
    generation: int
    missing: int
    present: int
    reason: str
    created_at: datetime


async def open_holds(connection: Connection, source: str = "") -> list[HoldRow]:
    """Return the undecided holds of one source, or of all sources if *source* is empty."""
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
    """Open a hold with the objects that this pass has not seen. If the source already has an open hold of this *kind*, replace its objects.
    With *only_group*, only the memberships of that group are replaced.
    """
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


async def hold_renamings(
    connection: Connection, source: str, *, generation: int, present: int, reason: str, new_keys: Mapping[str, str]
) -> None:
    """Replace the open hold on renamings by one for *new_keys* (person id to new key). If *new_keys* is empty, the open hold is only
    removed.
    """
    await connection.execute(
        "delete from source_hold where source = %s and kind = %s and decided_at is null", (source, RENAMING)
    )
    if not new_keys:
        return
    cursor = await connection.execute(
        """insert into source_hold (source, kind, generation, missing, present, reason) values (%s, %s, %s, %s, %s, %s)
        returning id""",
        (source, RENAMING, generation, len(new_keys), present, reason),
    )
    row = await only_row(cursor)
    await connection.execute(
        """insert into source_hold_object (hold, object_id, new_key)
        select %s, given.id, given.key from unnest(%s::uuid[], %s::text[]) as given (id, key)""",
        (row[0], list(new_keys), list(new_keys.values())),
    )


async def held_renamings(connection: Connection, hold: str) -> dict[str, str]:
    """Return the new key of each person in a hold on renamings, by the person's id."""
    cursor = await connection.execute(
        "select object_id::text, new_key from source_hold_object where hold = %s order by object_id", (hold,)
    )
    return dict(await cursor.fetchall())


async def refused_renamings(connection: Connection, source: str) -> set[tuple[str, str]]:
    """Return the refused renamings as pairs of person and new key: an administrator decided that the key belongs to a different person."""
    cursor = await connection.execute(
        """select object_id::text, new_key from source_hold_object join source_hold on source_hold.id = hold
        where source = %s and kind = %s and decision = 'rejected'""",
        (source, RENAMING),
    )
    return {(row[0], row[1]) for row in await cursor.fetchall()}


async def names_held(connection: Connection, hold: str, *, limit: int) -> list[str]:
    """Describe up to *limit* objects of a hold by user principal name or group name. The description of a held membership also contains the
    name of its group. The description of a renaming also contains the new key.
    """
    cursor = await connection.execute(
        """select coalesce(person.user_principal_name, nested.display_name, grp.display_name, object_id::text)
            || case when member_id is not null then ' in ' || coalesce(grp.display_name, '') else '' end
            || case when new_key is not null then ' as ' || new_key else '' end
        from source_hold_object as held
            left join person on person.id = coalesce(held.member_id, held.object_id)
            left join grp on grp.id = held.object_id
            left join grp as nested on nested.id = held.member_id
        where held.hold = %s order by 1 limit %s""",
        (hold, limit),
    )
    return [row[0] for row in await cursor.fetchall()]


async def held_objects(connection: Connection, hold: str, *, limit: int) -> list[tuple[str, str | None]]:
    """Remove up to *limit* objects from a hold and return them. Each is a pair: the object's id and, for a held membership, the member's
    id.
    """
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
    """Remove an open hold whose cause is gone: a later pass was complete, and too few objects are missing for a hold.

    After a pass over the members of one *group*, only held memberships of that group are removed.
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
