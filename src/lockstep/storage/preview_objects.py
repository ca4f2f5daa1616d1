"""The objects of a preview: what would be done to each, and why. Lists are sorted by importance: deletions come first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from lockstep.engine.records import WRITING, ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_id, as_rows, only_row

# The order of the list. All other actions come last.
_RANKS = ("delete", "disable", "release", "refuse", "create", "enable", "update", "link", "skip", "none")


@dataclass(frozen=True, slots=True)
class PreviewedObject:
    """The action that is planned for one person or group, and its reason.

    *name* is the user principal name of a person; *display_name* is "" if it is the same. *action* is the value of an `Action`. *is_held*
    is true if Lockstep would hold the write. *is_due* is true if the next incremental cycle evaluates the object. *effects* are the effects
    that guards limit. *changes* have the same form as in the provisioning log.
    """

    kind: str
    id: str
    name: str
    display_name: str
    action: str
    is_held: bool
    is_due: bool
    effects: Sequence[str]
    code: str
    reason: str
    next_step: str
    target_id: str
    changes: Sequence[Mapping[str, Any]]
    fingerprint: str = ""  # of the plan before guards apply; "" if the object could not be planned; not read again

    @property
    def title(self) -> str:
        return self.display_name or self.name

    @property
    def is_write(self) -> bool:
        return self.action in _WRITING

    @property
    def rank(self) -> int:
        return _RANKS.index(self.action) if self.action in _RANKS else len(_RANKS)

    @property
    def sort_name(self) -> str:
        return self.title.casefold()

    @property
    def key(self) -> str:
        """The object's position in the list. The next page begins after it."""
        return f"{self.rank}:{self.kind}:{self.id}:{self.sort_name}"


@dataclass(frozen=True, slots=True)
class PreviewFilter:
    """The conditions for the objects of a preview to read. An empty field matches all objects.

    *action* is an action, `held` for objects whose write would be held, or `writes` for objects to which something would be written.
    *search* is a part of the name, or the beginning of the account's id. *effect* is one of the effects that guards limit.

    *differs_from* is the number of an earlier preview of the same application, which the caller must know to exist. Objects match if the
    earlier preview does not contain them, or contains them with a different action, reason code, account, changes or `is_held`. A changed
    name does not count.
    """

    action: str = ""
    kind: str = ""
    search: str = ""
    effect: str = ""
    differs_from: int | None = None

    def parameters(self) -> dict[str, Any]:
        escaped = self.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return {
            "action": self.action,
            "kind": self.kind,
            "effect": self.effect,
            "search": escaped,
            "differs_from": self.differs_from,
        }


_COLUMNS = """kind, id::text, name, display_name, action, is_held, is_due, effects, code, reason, next_step, target_id, changes"""
_MATCHES = """preview = %(preview)s
    and (%(action)s = '' or action = %(action)s or (%(action)s = 'held' and is_held)
        or (%(action)s = 'writes' and action = any(%(writing)s)))
    and (%(kind)s = '' or kind = %(kind)s)
    and (%(effect)s = '' or %(effect)s = any(effects))
    and (%(search)s = '' or name ilike '%%' || %(search)s || '%%' or display_name ilike '%%' || %(search)s || '%%'
        or target_id ilike %(search)s || '%%')"""
# Added only when needed: if it were part of an `or`, PostgreSQL would look up each object separately instead of joining the two previews.
_DIFFERS = """ and not exists (select from preview_object as earlier where earlier.preview = %(differs_from)s
        and (earlier.kind, earlier.id) = (preview_object.kind, preview_object.id)
        and (earlier.action, earlier.code, earlier.is_held, earlier.target_id, earlier.changes) = (preview_object.action,
            preview_object.code, preview_object.is_held, preview_object.target_id, preview_object.changes))"""
_BEGINNING = {"rank": -1, "sort_name": "", "after_kind": "", "after_id": str(UUID(int=0))}
_WRITING = [action.value for action in WRITING]


async def add(connection: Connection, preview: int, objects: Collection[PreviewedObject]) -> None:
    await connection.execute(
        """insert into preview_object (preview, rank, sort_name, id, kind, name, display_name, action, is_held, is_due, effects, code,
            reason, next_step, target_id, changes, fingerprint)
        select %(preview)s, rank, sort_name, id, kind, name, display_name, action, is_held, is_due,
            array(select jsonb_array_elements_text(effects)), code, reason, next_step, target_id, changes, fingerprint
        from jsonb_to_recordset(%(rows)s::jsonb) as given (rank smallint, sort_name text, id uuid, kind text, name text,
            display_name text, action text, is_held boolean, is_due boolean, effects jsonb, code text, reason text, next_step text,
            target_id text, changes jsonb, fingerprint text)""",
        {"preview": preview, "rows": as_rows(_row(one) for one in objects)},
    )


async def hold(connection: Connection, preview: int, effects: Collection[str]) -> int:
    """Mark the objects with one of *effects* as held. Returns the number of newly marked objects."""
    cursor = await connection.execute(
        "update preview_object set is_held = true where preview = %s and effects && %s::text[] and not is_held",
        (preview, list(effects)),
    )
    return cursor.rowcount


async def read_page(
    connection: Connection, preview: int, wanted: PreviewFilter, *, after: str = "", limit: int
) -> list[PreviewedObject]:
    """Return one page of the matching objects. *after* is the `key` of the last object on the previous page."""
    rank, kind, identifier, name = [*after.split(":", 3), "", "", ""][:4]
    is_place = rank.isdecimal() and len(rank) < 3 and as_id(identifier) is not None
    place = (
        {"rank": int(rank), "sort_name": name, "after_kind": kind, "after_id": identifier} if is_place else _BEGINNING
    )
    async with connection.cursor(row_factory=class_row(PreviewedObject)) as cursor:
        await cursor.execute(
            f"""select {_COLUMNS} from preview_object where {_where(wanted)}
                and (rank, sort_name, kind, id) > (%(rank)s, %(sort_name)s, %(after_kind)s, %(after_id)s::uuid)
            order by preview_object.rank, sort_name, preview_object.kind, preview_object.id limit %(limit)s""",  # noqa: S608
            {"preview": preview, "limit": limit, "writing": list(_WRITING), **wanted.parameters(), **place},
        )
        return await cursor.fetchall()


async def count(connection: Connection, preview: int, wanted: PreviewFilter) -> int:
    cursor = await connection.execute(
        f"select count(*) from preview_object where {_where(wanted)}",  # noqa: S608
        {"preview": preview, "writing": list(_WRITING), **wanted.parameters()},
    )
    return int((await only_row(cursor))[0])


async def renew_statistics(connection: Connection) -> None:
    """Refresh the planner's statistics of the table preview_object. With outdated statistics, a comparison of two previews may compare each
    object with all others. Waits for concurrent calls, so do not call it while a preview is locked.
    """
    await connection.execute("analyze preview_object")


async def difference(connection: Connection, preview: int, earlier: int) -> Mapping[str, int]:
    """Compare a preview with an earlier one of the same application. In the result, `changed` counts the objects that the filter
    `differs_from` selects, and `gone` counts the objects that only the earlier preview has.
    """
    cursor = await connection.execute(
        """select count(*) from preview_object as earlier where preview = %s and not exists (select from preview_object as later
            where later.preview = %s and (later.kind, later.id) = (earlier.kind, earlier.id))""",
        (earlier, preview),
    )
    gone = int((await only_row(cursor))[0])
    return {
        "earlier": earlier,
        "changed": await count(connection, preview, PreviewFilter(differs_from=earlier)),
        "gone": gone,
    }


async def due_among(connection: Connection, job: str, kind: ObjectKind, ids: Collection[str]) -> frozenset[str]:
    """Return the objects in *ids* that are in the dirty set. The next incremental cycle evaluates them."""
    cursor = await connection.execute(
        "select source_id::text from dirty where job = %s and kind = %s and source_id = any(%s::uuid[])",
        (job, kind.value, list(ids)),
    )
    return frozenset(row[0] for row in await cursor.fetchall())


def _where(wanted: PreviewFilter) -> str:
    return _MATCHES if wanted.differs_from is None else _MATCHES + _DIFFERS


def _row(one: PreviewedObject) -> dict[str, Any]:
    return {
        "rank": one.rank, "sort_name": one.sort_name, "id": one.id, "kind": one.kind, "name": one.name, "display_name": one.display_name,
        "action": one.action, "is_held": one.is_held, "is_due": one.is_due, "effects": list(one.effects), "code": one.code,
        "reason": one.reason, "next_step": one.next_step, "target_id": one.target_id, "changes": list(one.changes),
        "fingerprint": one.fingerprint,
    }  # fmt: skip
