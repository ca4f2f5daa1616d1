"""One transaction that changes the directory. At its end, one statement appends the changes to the feed, and another marks the affected
objects.

After the commit, the caller queues drains for the jobs in `touched`. A drain that starts before the commit would find nothing and end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from lockstep.engine.records import Lane, ObjectKind
from lockstep.engine.rules.dynamic_groups import MembershipRule
from lockstep.postgres.pool import Connection, Pool, transaction
from lockstep.storage import changes, dirty_marks, marks
from lockstep.storage.groups import Edge
from lockstep.storage.locks import lock_directory
from lockstep.storage.marks import Hit

Touched = frozenset[str]  # ids of jobs that have new work


@dataclass(slots=True)
class Edit:
    """The effects of one transaction on the directory. `editing` creates it."""

    connection: Connection
    actor: str
    jobs_started: bool = False
    touched: Touched = frozenset()
    rules: dict[str, MembershipRule] | None = None  # of all dynamic groups; None until they are needed
    _changes: list[dict[str, Any]] = field(default_factory=list)
    _marks: dict[tuple[str, str, str], tuple[int, set[str]]] = field(default_factory=dict)

    def record(
        self,
        kind: str,
        object_id: str,
        what: str,
        *,
        changed: Iterable[str] = (),
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a change. `finish` appends it to the feed."""
        self._changes.append(
            {
                "kind": kind,
                "object_id": object_id,
                "what": what,
                "changed": list(changed),
                "before": before,
                "after": after,
            }
        )

    async def mark_changed(
        self, kind: str, rows: Sequence[Mapping[str, Any]], *, reason: str, is_leaving: bool = False
    ) -> None:
        """Mark the objects in *rows*, in each job that provisions them and depends on one of their changed attributes. A row has an
        object's id, its changed attributes and `concerns_all` (see `marks.touched_by_changes`).

        The direct reports of changed people are marked in the jobs that read a changed attribute of the manager.
        """
        if self.jobs_started and rows:
            self._mark(
                await marks.touched_by_changes(self.connection, kind, rows), reason=reason, is_leaving=is_leaving
            )
            if kind == ObjectKind.USER:
                self._mark(await marks.touched_by_managers(self.connection, rows), reason="manager")

    async def mark_edges(self, edges: Sequence[Edge], *, reason: str, is_leaving: bool = False) -> None:
        """Mark the people who gain or lose assignments because of *edges* (memberships that began or ended). Mark the groups of these
        memberships too.
        """
        if not (self.jobs_started and edges):
            return
        self._mark(await marks.touched_by_edges(self.connection, edges), reason=reason, is_leaving=is_leaving)
        groups = await marks.write_member_marks(self.connection, edges)
        self._mark(groups, reason="members", lane=Lane.MEMBERS)

    async def mark_group_names(self, edges: Sequence[Edge], *, reason: str) -> None:
        """Mark the members of renamed groups, for jobs whose mappings read the names of a person's groups. *edges* are the memberships in
        these groups.
        """
        if self.jobs_started and edges:
            self._mark(await marks.touched_by_group_names(self.connection, edges), reason=reason)

    async def mark_assignment(
        self, app: str, kind: str, principal: str, *, reason: str, is_leaving: bool = False
    ) -> None:
        if self.jobs_started:
            hits = await marks.touched_by_assignment(self.connection, app, kind, principal)
            self._mark(hits, reason=reason, is_leaving=is_leaving)

    async def mark_roles(self, app: str, roles: Sequence[str], *, reason: str) -> None:
        if self.jobs_started and roles:
            self._mark(await marks.touched_by_roles(self.connection, app, roles), reason=reason)

    async def finish(self) -> None:
        """Write the recorded changes and marks to the database. Must be the last step before the commit."""
        if self._changes:
            await changes.append_changes(self.connection, self._changes, actor=self.actor)
        if self._marks:
            rows = [
                {"job": job, "kind": kind, "id": object_id, "lane": lane, "reasons": sorted(reasons)}
                for (job, kind, object_id), (lane, reasons) in self._marks.items()
            ]
            await marks.write_marks(self.connection, rows)
            await dirty_marks.refresh_statistics(self.connection, len(rows))
        self.touched = frozenset(job for job, _, _ in self._marks)

    def _mark(self, hits: Iterable[Hit], *, reason: str, is_leaving: bool = False, lane: Lane | None = None) -> None:
        for hit in hits:
            number = (lane or _lane(hit, is_leaving=is_leaving)).number
            before, reasons = self._marks.get((hit.job, hit.kind, hit.id), (number, set()))
            self._marks[hit.job, hit.kind, hit.id] = (min(before, number), reasons | {reason})


@asynccontextmanager
async def editing(database: Pool | Connection, *, actor: str) -> AsyncIterator[Edit]:
    """Run the block in a transaction that changes the directory. Such transactions run one at a time. Afterwards `touched` names the
    jobs to drain.
    """
    if isinstance(database, Pool):
        async with transaction(database) as connection:
            async with _editing(connection, actor) as edit:
                yield edit
        return
    async with database.transaction():
        async with _editing(database, actor) as edit:
            yield edit


@asynccontextmanager
async def _editing(connection: Connection, actor: str) -> AsyncIterator[Edit]:
    await lock_directory(connection)
    edit = Edit(connection, actor, jobs_started=await marks.are_jobs_started(connection))
    yield edit
    await edit.finish()


def _lane(hit: Hit, *, is_leaving: bool) -> Lane:
    """Return the lane for an affected object: leavers with an account first, then updates of accounts, then objects without an account."""
    if is_leaving and hit.is_linked:
        return Lane.LEAVERS
    return Lane.UPDATES if hit.is_linked else Lane.CREATES
