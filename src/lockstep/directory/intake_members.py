"""Import a page of memberships. If a member has not been imported yet, the membership is stored, and takes effect when the member is
imported.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.directory.attributes import shown
from lockstep.directory.edit import Edit
from lockstep.directory.groups import GROUP, add_members
from lockstep.directory.people import USER
from lockstep.directory.rows import BadRow, MemberLine, PassResult, SourcePage
from lockstep.storage import groups as store
from lockstep.storage import people as people_store
from lockstep.storage import sources as source_store
from lockstep.storage.groups import Edge


@dataclass(slots=True)
class MemberIntake:
    """One pass over direct members."""

    source: str
    generation: int
    result: PassResult
    most_details: int

    async def take(self, edit: Edit, page: SourcePage) -> None:
        lines = [line for line in page.lines if isinstance(line, MemberLine)]
        self.result.read += len(lines) + len(page.bad)
        for row in page.bad:
            # If only the group or only the member is readable, the row could be any of their memberships.
            self.result.unproven = f"Line {row.line} does not identify a group and a member"
            self._reject(row)
        edges, awaited = await self._resolve(edit, lines)
        await source_store.note_seen_edges(
            edit.connection, [(edge.group_id, edge.member_id) for edge in edges] + awaited
        )
        added = await add_members(edit, edges, generation=self.generation)
        if awaited:
            await store.await_members(edit.connection, self.source, awaited)
        self.result.created += added
        self.result.awaited += len(awaited)
        self.result.unchanged += len(edges) - added

    async def _resolve(self, edit: Edit, lines: list[MemberLine]) -> tuple[list[Edge], list[tuple[str, str]]]:
        groups = await store.ids_of_keys(edit.connection, self.source, {line.group for line in lines})
        members = {line.member for line in lines}
        people = await people_store.ids_of_keys(edit.connection, self.source, members)
        nested = await store.ids_of_keys(edit.connection, self.source, members - people.keys())
        edges: list[Edge] = []
        awaited: list[tuple[str, str]] = []
        for line in lines:
            group = groups.get(line.group)
            if group is None:
                self._reject(BadRow(line.line, "group", f'This source has no group "{shown(line.group)}"'))
            elif line.member in people:
                edges.append(Edge(group, people[line.member], USER))
            elif line.member in nested:
                edges.append(Edge(group, nested[line.member], GROUP))
            else:
                awaited.append((group, line.member))
        return edges, awaited

    def _reject(self, row: BadRow) -> None:
        self.result.reject(row, most=self.most_details)
