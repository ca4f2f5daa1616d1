"""Import a pass of a source into the directory, one transaction per page.

Objects missing from the source are removed only after a full pass that reached the end of the source, and only if the source has not
shrunk too much. An empty, broken or half-read file therefore removes nobody. An interrupted import can be repeated and ends in the same
state.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from lockstep.directory.attributes import shown
from lockstep.directory.edit import Edit, editing
from lockstep.directory.groups import delete_groups, remove_members
from lockstep.directory.import_locks import alone_with
from lockstep.directory.intake_groups import GroupIntake
from lockstep.directory.intake_members import MemberIntake
from lockstep.directory.intake_people import PersonIntake
from lockstep.directory.people import delete_people
from lockstep.directory.rows import PassKind, PassResult, Renaming, SourcePass, Survey
from lockstep.errors import LockstepError, invalid, not_found
from lockstep.postgres.pool import Connection, Pool
from lockstep.storage import groups as group_store
from lockstep.storage import people as people_store
from lockstep.storage import source_holds
from lockstep.storage import sources as store
from lockstep.storage.groups import Edge
from lockstep.wording import counted

PAGE_SIZE = 1000
KINDS = {PassKind.PEOPLE: "User", PassKind.GROUPS: "Group", PassKind.MEMBERS: "Member"}
_MANY = 1000  # above this many changes, refresh the planner's statistics
_MANY_ALIKE = 5  # identical causes; fewer bad rows may each be a separate mistake
NOUNS = {"User": "people", "Group": "groups", "Member": "memberships"}

AfterCommit = Callable[[Collection[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class IntakeGuard:
    """The limit on how much a source may shrink in one pass. If the source loses more than *percent* of its objects and at least *least*
    objects, the removals are held.

    Groups have the lower limit *least_groups*, because each group takes away the assignments of all its members.
    """

    percent: float = 10.0
    least: int = 20
    least_groups: int = 5

    def stops(self, kind: str, *, missing: int, before: int) -> bool:
        least = self.least_groups if kind == "Group" else self.least
        return missing >= least and missing * 100 > before * self.percent


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a pass. *fraction* is None if the total is unknown."""

    kind: PassKind
    read: int
    fraction: float | None


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """Options of an import."""

    guard: IntakeGuard = IntakeGuard()
    page_size: int = PAGE_SIZE
    most_details: int = 100
    most_named: int = 100
    on_progress: Callable[[Progress], None] = lambda _: None


async def nothing_to_defer(_: Collection[str]) -> None:
    """Do nothing. For callers without a worker to notify; the periodic sweep finds the work later."""


async def take_pass(
    database: Pool | Connection,
    source: str,
    reading: SourcePass,
    *,
    actor: str,
    options: IntakeOptions | None = None,
    after_commit: AfterCommit = nothing_to_defer,
) -> PassResult:
    """Import *reading* on a connection from the pool, or on the caller's connection.

    If the source fails halfway, everything read so far stays imported, and the result contains an `error`.

    Raises LockstepError while another import of the same source is running.
    """
    options = options or IntakeOptions()
    result = PassResult(reading.kind, ignored=reading.ignored, most_named=options.most_named)
    async with alone_with(database, source) as connection:
        walk = _Walk(connection, source, reading, result, actor, options, after_commit)
        await walk.run()
    return result


@dataclass(slots=True)
class _Walk:
    connection: Connection
    source: str
    reading: SourcePass
    result: PassResult
    actor: str
    options: IntakeOptions
    after_commit: AfterCommit
    generation: int = 0
    only_group: str | None = None  # if only one group is read, its id; members of other groups do not count as missing

    async def run(self) -> None:
        self.only_group = await self._find_group()
        refuse_unreadable(await self.reading.survey())
        self.generation = await store.begin_pass(self.connection, self.source)
        taker = self._taker()
        is_whole = await self._read(taker)
        self.result.ignored, self.result.notes = self.reading.ignored, self.reading.notes
        if isinstance(taker, PersonIntake):
            await self._settle_renamings(taker)
        if is_whole and self.reading.is_full:
            await self._remove_missing()
        if isinstance(taker, PersonIntake) and taker.postponed:
            async with self._editing() as edit:
                await taker.take_postponed(edit)
        if self.result.created + self.result.removed >= _MANY:
            await store.refresh_statistics(self.connection, KINDS[self.reading.kind])

    async def _find_group(self) -> str | None:
        name = self.reading.only_group
        if not name:
            return None
        found = await group_store.ids_of_keys(self.connection, self.source, [name])
        if name not in found:
            raise not_found(
                f'The source {self.source} has no group "{shown(name)}" (use its id, or a name that is unique in the source)',
                next_step=f"Import the list of groups first: lockstep sources import groups.csv --source {self.source}",
            )
        return found[name]

    def _taker(self) -> PersonIntake | GroupIntake | MemberIntake:
        with_what = (self.source, self.generation, self.result, self.options.most_details)
        match self.reading.kind:
            case PassKind.PEOPLE:
                return PersonIntake(*with_what)
            case PassKind.GROUPS:
                return GroupIntake(*with_what)
            case PassKind.MEMBERS:
                return MemberIntake(*with_what)

    async def _read(self, taker: PersonIntake | GroupIntake | MemberIntake) -> bool:
        """Import page by page. Returns True if the source was read to its regular end."""
        is_whole = False
        try:
            async with aclosing(self.reading.pages(self.options.page_size)) as pages:
                async for page in pages:
                    async with self._editing() as edit:
                        await taker.take(edit, page)
                    is_whole = page.is_last
                    self.result.unproven = self.result.unproven or page.unproven
                    self.options.on_progress(Progress(self.reading.kind, self.result.read, page.fraction))
        except OSError as failed:
            self.result.error = f"The source could not be read completely: {failed.strerror or failed}"
        except LockstepError as failed:
            if not self.result.read:
                raise
            self.result.error = failed.detail
        return is_whole and not self.result.error

    async def _settle_renamings(self, taker: PersonIntake) -> None:
        async with self._editing() as edit:
            await taker.settle_renamings(edit)
            found = self.result.renamings
            await source_holds.hold_renamings(
                edit.connection, self.source, generation=self.generation, present=len(found),
                reason=renamings_reason(found), new_keys={one.person: one.new_key for one in found},
            )  # fmt: skip

    async def _remove_missing(self) -> None:
        kind = KINDS[self.reading.kind]
        if self.result.unproven:
            return
        if kind == "Member":
            missing, present = await store.count_unseen_edges(self.connection, self.source, self.only_group)
        else:
            missing, present = await store.count_unseen(self.connection, self.source, kind)
        before = present - self.result.created - self.result.restored
        self.result.missing = missing
        is_empty = self.result.read == 0 and missing > 0
        if is_empty or self.options.guard.stops(kind, missing=missing, before=before):
            self.result.held = _reason(kind, missing=missing, before=before, is_empty=is_empty)
            async with self.connection.transaction():
                await source_holds.hold_leavers(
                    self.connection, self.source, kind, generation=self.generation, missing=missing, present=before,
                    reason=self.result.held, only_group=self.only_group,
                )  # fmt: skip
            await self._name_missing(kind, "missing", limit=self.result.most_named)
            return
        await source_holds.lift_hold(self.connection, self.source, kind, self.only_group)
        while await self._remove_some(kind):
            pass
        if kind == "Member":
            await store.forget_unseen_awaited(self.connection, self.source, self.only_group)

    async def _remove_some(self, kind: str) -> int:
        size = self.options.page_size
        async with self._editing() as edit:
            if kind == "Member":
                rows = await store.unseen_edges(self.connection, self.source, self.only_group, limit=size)
                edges = [Edge(*row) for row in rows]
                removed = await remove_members(edit, edges)
            else:
                ids = await store.unseen(self.connection, self.source, kind, limit=size)
                await self._name_missing(kind, "removed", limit=size)
                removed = await delete_objects(edit, kind, ids)
        self.result.removed += removed
        return removed

    async def _name_missing(self, kind: str, what: str, *, limit: int) -> None:
        if kind == "Member" or len(self.result.movements) >= self.result.most_named:
            return
        ids = await store.unseen(self.connection, self.source, kind, limit=limit)
        if kind == "User":
            people = await people_store.read_people(self.connection, ids)
            for person in sorted(people.values(), key=lambda one: one.user_principal_name.lower()):
                self.result.name(what, person.user_principal_name, person.display)
            return
        groups = await group_store.read_groups(self.connection, ids)
        for group in sorted(groups.values(), key=lambda one: one.display_name.lower()):
            self.result.name(what, group.display_name, group.display_name)

    @asynccontextmanager
    async def _editing(self) -> AsyncIterator[Edit]:
        async with editing(self.connection, actor=self.actor) as edit:
            yield edit
        if edit.touched:
            self.result.touched |= edit.touched
            await self.after_commit(edit.touched)


def refuse_unreadable(survey: Survey) -> None:
    """Raise LockstepError, before anything is written, if most rows are unusable for the same reason: the options for reading are
    probably wrong.
    """
    worst = survey.worst
    if worst is None or survey.alike < _MANY_ALIKE or survey.alike * 2 <= survey.rows:
        return
    where = f", {worst.column}" if worst.column else ""
    raise invalid(
        f"{survey.alike:,} of {counted(survey.rows, 'row')} have the same error; nothing was imported",
        why=f"Line {worst.line}{where}: {worst.reason}",
        next_step=survey.cure,
        code="MostRowsBad",
    )


async def delete_objects(edit: Edit, kind: str, ids: list[str]) -> int:
    """Move objects to the recycle bin because their source no longer contains them."""
    at = datetime.now(UTC)
    if kind == "User":
        people = await people_store.read_people(edit.connection, ids)
        return await delete_people(edit, people.values(), at=at, by_source=True)
    groups = await group_store.read_groups(edit.connection, ids)
    return await delete_groups(edit, groups.values(), at=at, by_source=True)


def renamings_reason(found: Sequence[Renaming]) -> str:
    """Explain why people who may have a new key are held. Names the first five of them."""
    if not found:
        return ""
    some = "; ".join(f"{one.old_name} as {one.new_name} (employee id {one.employee_id})" for one in found[:5])
    noun = f"{counted(len(found), 'person')} {'seems' if len(found) == 1 else 'seem'}"
    return f"{noun} to have a new key: {some}{'; ...' if len(found) > 5 else ''}"


def _reason(kind: str, *, missing: int, before: int, is_empty: bool) -> str:
    noun = NOUNS[kind]
    if is_empty:
        return f"The source lists none of its {before:,} {noun}"
    return f"{missing:,} of {before:,} {noun} ({missing * 100 / max(before, 1):.0f}%) are no longer in the source"
