"""Write groups and their direct members.

Membership in an assigned group gives access, so every added or removed member is marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lockstep.directory.edit import Edit
from lockstep.engine.records import ObjectKind
from lockstep.storage import groups as store
from lockstep.storage.groups import Edge, GroupRow

GROUP = str(ObjectKind.GROUP)


@dataclass(frozen=True, slots=True)
class GroupWrite:
    """The desired state of a group. *before* is None for a new group."""

    after: GroupRow
    before: GroupRow | None = None
    row_hash: str | None = None
    generation: int | None = None


def with_group_attributes(group: GroupRow, values: Mapping[str, Any]) -> GroupRow:
    attributes = {name: value for name, value in ({**group.attributes, **values}).items() if value is not None}
    return replace(group, attributes=attributes, display_name=str(attributes.get("displayName") or group.display_name))


async def write_groups(edit: Edit, writes: Sequence[GroupWrite]) -> None:
    """Write groups. If a group is deleted or restored, its members lose or regain the group's assignments."""
    new = [write for write in writes if write.before is None]
    old = [write for write in writes if write.before is not None]
    leaving = [w for w in old if w.before and not w.before.deleted_at and w.after.deleted_at]
    back = [w for w in old if w.before and w.before.deleted_at and not w.after.deleted_at]
    rest = [w for w in old if w.before and (w.before.deleted_at is None) == (w.after.deleted_at is None)]
    if old:
        await store.update_groups(edit.connection, [_columns(write) for write in old])
    if new:
        await store.insert_groups(edit.connection, [_columns(write) for write in new])
    await _note(edit, new, what="created", concerns_all=True)
    await _note(edit, leaving, what="deleted", concerns_all=True, is_leaving=True)
    await _note(edit, back, what="restored", concerns_all=True)
    await _note(edit, rest, what="updated")
    for part, is_leaving in ((leaving, True), (back, False)):
        if part and edit.jobs_started:
            edges = await store.edges_of_groups(edit.connection, [write.after.id for write in part])
            reason = "group deleted" if is_leaving else "group restored"
            await edit.mark_edges(edges, reason=reason, is_leaving=is_leaving)
    renamed = [
        write.after.id for write in rest if write.before and write.before.display_name != write.after.display_name
    ]
    if renamed and edit.jobs_started:
        await edit.mark_group_names(await store.edges_of_groups(edit.connection, renamed), reason="group renamed")


async def delete_groups(edit: Edit, groups: Iterable[GroupRow], *, at: datetime, by_source: bool = False) -> int:
    """Move groups to the recycle bin. Their memberships are kept, so that a restore gives the members their assignments back."""
    writes = [
        GroupWrite(replace(group, deleted_at=at), group, row_hash="" if by_source else None)
        for group in groups
        if group.deleted_at is None
    ]
    await write_groups(edit, writes)
    return len(writes)


async def add_members(edit: Edit, edges: Sequence[Edge], *, generation: int = 0) -> int:
    """Add direct members. Returns the number of new memberships."""
    added = await store.add_edges(edit.connection, edges, generation=generation)
    _record_members(edit, added, "memberAdded")
    await edit.mark_edges(added, reason="member added")
    return len(added)


async def remove_members(edit: Edit, edges: Sequence[Edge]) -> int:
    """Remove direct members. Returns the number of memberships that existed."""
    removed = await store.remove_edges(edit.connection, edges)
    _record_members(edit, removed, "memberRemoved")
    await edit.mark_edges(removed, reason="member removed", is_leaving=True)
    return len(removed)


def _record_members(edit: Edit, edges: Iterable[Edge], what: str) -> None:
    """Append one feed entry per group, with all members that this transaction added to or removed from it."""
    by_group: dict[str, list[str]] = {}
    for edge in edges:
        by_group.setdefault(edge.group_id, []).append(edge.member_id)
    for group, members in by_group.items():
        values = {"members": members}
        is_added = what == "memberAdded"
        edit.record(
            GROUP,
            group,
            what,
            changed=["members"],
            before=None if is_added else values,
            after=values if is_added else None,
        )


async def _note(
    edit: Edit, writes: Sequence[GroupWrite], *, what: str, concerns_all: bool = False, is_leaving: bool = False
) -> None:
    rows = []
    for write in writes:
        old = {} if write.before is None else {k: v for k, v in write.before.attributes.items() if v is not None}
        new = {name: value for name, value in write.after.attributes.items() if value is not None}
        changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        if not changed and not concerns_all:
            continue
        before = {name: old[name] for name in changed if name in old}
        after = {name: new[name] for name in changed if name in new}
        edit.record(GROUP, write.after.id, what, changed=changed, before=before if write.before else None, after=after)
        rows.append({"id": write.after.id, "changed": changed, "concerns_all": concerns_all})
    await edit.mark_changed(GROUP, rows, reason=what, is_leaving=is_leaving)


def _columns(write: GroupWrite) -> dict[str, Any]:
    group = write.after
    return {
        "id": group.id,
        "source": group.source,
        "anchor": group.anchor,
        "display_name": group.display_name,
        "attributes": group.attributes,
        "deleted_at": group.deleted_at,
        "row_hash": write.row_hash,
        "generation": write.generation,
    }
