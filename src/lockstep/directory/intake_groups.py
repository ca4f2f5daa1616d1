"""Import a page of groups. The same rules apply as for people, except that several groups may have the same display name."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from lockstep.directory.edit import Edit
from lockstep.directory.groups import GROUP, GroupWrite, add_members, with_group_attributes, write_groups
from lockstep.directory.intake_people import as_guid
from lockstep.directory.intake_seen import first_of_each
from lockstep.directory.rows import BadRow, GroupLine, PassResult, SourcePage
from lockstep.storage import groups as store
from lockstep.storage import people as people_store
from lockstep.storage import sources as source_store
from lockstep.storage.groups import GroupRow
from lockstep.storage.known_rows import known_rows


@dataclass(slots=True)
class GroupIntake:
    """One pass over groups."""

    source: str
    generation: int
    result: PassResult
    most_details: int

    async def take(self, edit: Edit, page: SourcePage) -> None:
        lines = [line for line in page.lines if isinstance(line, GroupLine)]
        self.result.read += len(lines) + len(page.bad)
        for row in page.bad:
            if not row.key:
                self.result.unproven = f"Line {row.line} does not identify a group"
            self._reject(row)
        if seen := {row.key: row.line for row in page.bad if row.key}:
            await source_store.note_seen(edit.connection, GROUP, seen)
        await self._store(edit, await first_of_each(edit, GROUP, lines, self._reject))

    async def _store(self, edit: Edit, lines: list[GroupLine]) -> None:
        known = await known_rows(edit.connection, "grp", self.source, {line.key: line.digest for line in lines})
        moved = [line for line in lines if line.key not in known or not known[line.key].is_same]
        self.result.unchanged += len(lines) - len(moved)
        before = await store.read_groups(edit.connection, [known[line.key].id for line in moved if line.key in known])
        guids = {line.key: guid for line in moved if line.key not in known and (guid := as_guid(line.key))}
        taken = await people_store.taken_ids(edit.connection, guids.values()) if guids else set()
        writes = []
        for line in moved:
            old = before[known[line.key].id] if line.key in known else None
            guid = guids.get(line.key, "")
            new_id = guid if guid and guid not in taken else str(uuid.uuid4())
            start = old or GroupRow(new_id, self.source, line.key, line.key, attributes={})
            after = replace(with_group_attributes(start, line.values), deleted_at=None)
            writes.append(GroupWrite(after, old, line.digest.hex(), self.generation))
        await write_groups(edit, writes)
        self._count(writes)
        ids = {key: (w.after.id, GROUP) for w in writes for key in (w.after.anchor, w.after.display_name)}
        edges = await store.take_awaited(edit.connection, self.source, ids) if ids else []
        if edges:
            await add_members(edit, edges, generation=self.generation)

    def _count(self, writes: list[GroupWrite]) -> None:
        for write in writes:
            before, after = write.before, write.after
            what = self.result.count(
                is_new=before is None,
                is_back=before is not None and before.deleted_at is not None,
                is_changed=before is not None and before.attributes != after.attributes,
            )
            if what:
                self.result.name(what, after.display_name, after.display_name)

    def _reject(self, row: BadRow) -> None:
        self.result.reject(row, most=self.most_details)
