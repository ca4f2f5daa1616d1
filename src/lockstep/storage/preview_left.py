"""The objects that a cycle left aside because their plan differs from the preview that the cycle applied. Both plans are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_id, as_rows
from lockstep.storage.dirty import Claim
from lockstep.storage.preview_objects import PreviewedObject


@dataclass(frozen=True, slots=True)
class LeftObject:
    """One object that the cycle did not write. *planned* is its new plan, *previewed* its plan in the preview, or None if the preview does
    not contain the object.
    """

    planned: PreviewedObject
    previewed: PreviewedObject | None

    @property
    def key(self) -> str:
        """The object's position in the list. The next page begins after it."""
        return f"{self.planned.kind}:{self.planned.id}"


async def begin(connection: Connection, preview: int) -> None:
    """Prepare the records of this preview for a new cycle: delete those that an earlier cycle made."""
    await connection.execute("delete from preview_left where preview = %s", (preview,))


async def add(connection: Connection, left: Sequence[tuple[int, PreviewedObject]]) -> None:
    """Record the objects in *left*, which a cycle left aside. Each is a pair of preview number and object. Objects of a removed preview are
    skipped.
    """
    rows = as_rows(
        {"preview": preview, "kind": one.kind, "id": one.id, "planned": asdict(one)} for preview, one in left
    )
    await connection.execute(
        """insert into preview_left (preview, kind, id, planned)
        select given.preview, kind, given.id, planned
        from jsonb_to_recordset(%s::jsonb) as given (preview bigint, kind text, id uuid, planned jsonb)
        where exists (select from preview where preview.id = given.preview)
        on conflict (preview, kind, id) do update set planned = excluded.planned, left_at = now()""",
        (rows,),
    )


async def forget(connection: Connection, preview: int, done: Sequence[Claim]) -> None:
    """Remove the objects of *done* from the objects that the cycle left aside, because the cycle has processed them since."""
    await connection.execute(
        """delete from preview_left using jsonb_to_recordset(%s::jsonb) as given (kind text, id uuid)
        where preview = %s and preview_left.kind = given.kind and preview_left.id = given.id""",
        (as_rows({"kind": one.kind, "id": one.source_id} for one in done), preview),
    )


async def read_page(connection: Connection, preview: int, *, after: str = "", limit: int) -> list[LeftObject]:
    """Return one page of the objects that were left. *after* is the `key` of the last object on the previous page."""
    kind, _, identifier = after.partition(":")
    cursor = await connection.execute(
        """select left_.planned, case when old.id is not null then to_jsonb(old) - array['preview', 'rank', 'sort_name'] end
        from preview_left as left_
        left join preview_object as old on (old.preview, old.kind, old.id) = (left_.preview, left_.kind, left_.id)
        where left_.preview = %s and (left_.kind, left_.id) > (%s, coalesce(%s::uuid, '00000000-0000-0000-0000-000000000000'))
        order by left_.kind, left_.id limit %s""",
        (preview, kind, as_id(identifier), limit),
    )
    return [LeftObject(_object(new), _object(old) if old else None) for new, old in await cursor.fetchall()]


def _object(stored: dict[str, Any]) -> PreviewedObject:
    return PreviewedObject(**stored)
