"""Import a page of people: create, update or restore the person of each row, and report unusable rows.

The person of an unusable row counts as seen. If somebody else still has the user principal name in a row, the row is tried again at the end
of the pass. By then, leavers have given up their names.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from lockstep.directory.attributes import Cause
from lockstep.directory.edit import Edit
from lockstep.directory.groups import add_members
from lockstep.directory.intake_seen import first_of_each
from lockstep.directory.people import USER, PersonWrite, difference, with_attributes, write_people
from lockstep.directory.rows import BadRow, PassResult, PersonLine, Renaming, SourcePage, key_of
from lockstep.storage import groups as group_store
from lockstep.storage import people as store
from lockstep.storage import person_keys, source_holds
from lockstep.storage import sources as source_store
from lockstep.storage.known_rows import known_rows
from lockstep.storage.people import PersonRow

_MOST_POSTPONED = 10_000


@dataclass(slots=True)
class PersonIntake:
    """One pass over people."""

    source: str
    generation: int
    result: PassResult
    most_details: int
    postponed: list[PersonLine] = field(default_factory=list)
    suspects: list[tuple[PersonLine, Renaming, str]] = field(
        default_factory=list
    )  # the text is the key of the existing person

    async def take(self, edit: Edit, page: SourcePage) -> None:
        lines = [line for line in page.lines if isinstance(line, PersonLine)]
        self.result.read += len(lines) + len(page.bad)
        await self._see_bad(edit, page.bad)
        first = await first_of_each(edit, USER, lines, self._reject)
        await self._store(edit, first, is_last_try=False, asks_for_renamings=True)

    async def settle_renamings(self, edit: Edit) -> None:
        """Decide about new people whose employee id belongs to an existing person.

        A new person is held if three conditions are met: the existing person is missing from the source, no other new person has the same
        employee id, and no administrator has decided that the two are different people. Otherwise the new person is created.

        Both the held person and the existing person count as seen, because they may be the same person under a new key.
        """
        suspects, self.suspects = self.suspects, []
        if not suspects:
            return
        seen = await source_store.seen_keys(edit.connection, USER, [anchor for _, _, anchor in suspects])
        refused = await source_holds.refused_renamings(edit.connection, self.source)
        taken = Counter(one.person for _, one, _ in suspects)
        others: list[PersonLine] = []
        for line, one, anchor in suspects:
            if anchor in seen or taken[one.person] > 1 or (one.person, one.new_key) in refused:
                others.append(line)
            else:
                self.result.renamings.append(one)
                await source_store.note_seen(edit.connection, USER, {anchor: line.line})
        await self._store(edit, others, is_last_try=False)

    async def take_postponed(self, edit: Edit) -> None:
        """Retry the people whose user principal name was taken, after all others have been imported."""
        lines, self.postponed = self.postponed, []
        await self._store(edit, lines, is_last_try=True)

    async def _see_bad(self, edit: Edit, bad: Sequence[BadRow]) -> None:
        seen: dict[str, int] = {row.key: row.line for row in bad if row.key}
        named = {key_of(row.user_principal_name): row for row in bad if not row.key and row.user_principal_name}
        if named:
            ids = await store.holders_of(edit.connection, named)
            people = await store.read_people(edit.connection, list(ids.values()))
            seen |= {one.anchor: named[key_of(one.user_principal_name)].line for one in people.values()}
        for row in bad:
            if not row.key and not row.user_principal_name:
                self.result.unproven = f"Line {row.line} does not identify a person"
            self._reject(row)
        if seen:
            await source_store.note_seen(edit.connection, USER, seen)

    async def _store(
        self, edit: Edit, lines: Sequence[PersonLine], *, is_last_try: bool, asks_for_renamings: bool = False
    ) -> None:
        known = await known_rows(edit.connection, "person", self.source, {line.key: line.digest for line in lines})
        moved = [line for line in lines if line.key not in known or not known[line.key].is_same]
        self.result.unchanged += len(lines) - len(moved)
        if asks_for_renamings:
            new = [line for line in moved if line.key not in known]
            aside = await self._set_aside(edit, new)
            moved = [line for line in moved if line.key not in aside]
        if not moved:
            return
        before = await store.read_people(edit.connection, [known[line.key].id for line in moved if line.key in known])
        ids = await self._new_ids(edit, [line.key for line in moved if line.key not in known])
        writes: list[tuple[PersonLine, PersonWrite]] = []
        for line in moved:
            old = before[known[line.key].id] if line.key in known else None
            after = with_attributes(old or self._blank(ids[line.key], line), line.values)
            write = PersonWrite(replace(after, deleted_at=None), old, line.digest.hex(), self.generation)
            writes.append((line, write))
        writes = await self._with_managers(edit, writes)
        accepted = await self._with_free_names(edit, writes, is_last_try=is_last_try)
        await write_people(edit, accepted)
        self._count(accepted)
        await self._answer_waiting(edit, accepted)

    async def _set_aside(self, edit: Edit, new: Sequence[PersonLine]) -> set[str]:
        """Set aside new people whose employee id belongs to exactly one existing person of this source. Returns their keys.

        At the end of the pass, it is known whether the existing person is missing from the source. `settle_renamings` then decides about
        the new people.
        """
        numbers = {str(line.values["employeeId"]) for line in new if line.values.get("employeeId")}
        if not numbers or len(self.suspects) >= _MOST_POSTPONED:
            return set()
        holders = await person_keys.holders_of_employee_ids(edit.connection, self.source, numbers)
        aside = set()
        for line in new:
            number = str(line.values.get("employeeId") or "")
            found = holders.get(number, [])
            if len(found) == 1:
                person, anchor, old_name = found[0]
                new_name = str(line.values.get("userPrincipalName"))
                self.suspects.append((line, Renaming(person, old_name, new_name, line.key, number), anchor))
                aside.add(line.key)
        return aside

    async def _new_ids(self, edit: Edit, keys: Sequence[str]) -> dict[str, str]:
        """Use the keys of the source as ids if they are GUIDs; otherwise create new ids."""
        guids = {key: guid for key in keys if (guid := as_guid(key))}
        taken = await store.taken_ids(edit.connection, guids.values()) if guids else set()
        return {key: guids[key] if key in guids and guids[key] not in taken else str(uuid.uuid4()) for key in keys}

    def _blank(self, person_id: str, line: PersonLine) -> PersonRow:
        start = {"userPrincipalName": "", "accountEnabled": True}
        return PersonRow(person_id, self.source, line.key, "", account_enabled=True, attributes=start)

    async def _with_managers(
        self, edit: Edit, writes: list[tuple[PersonLine, PersonWrite]]
    ) -> list[tuple[PersonLine, PersonWrite]]:
        wanted = {line.manager for line, _ in writes if line.manager}
        known = await store.ids_of_keys(edit.connection, self.source, wanted) if wanted else {}
        for line, write in writes:
            known.setdefault(key_of(write.after.user_principal_name), write.after.id)
            known.setdefault(line.key, write.after.id)
        found = []
        for line, write in writes:
            if line.says_manager:
                manager = known.get(line.manager) if line.manager else None
                waiting = line.manager if line.manager and manager is None else None
                write = replace(write, after=replace(write.after, manager_id=manager, manager_anchor=waiting))
            found.append((line, write))
        return found

    async def _with_free_names(
        self, edit: Edit, writes: list[tuple[PersonLine, PersonWrite]], *, is_last_try: bool
    ) -> list[PersonWrite]:
        """Return the people whose user principal name is free or is being given up in the same batch. The others are postponed; they are
        rejected if this is the last try or too many are postponed already.
        """
        holders = await store.holders_of(edit.connection, [write.after.user_principal_name for _, write in writes])
        while True:
            leaves = {
                write.after.id: write.after.user_principal_name.lower()
                for _, write in writes
                if write.before is not None
            }
            taken: dict[str, str] = {}
            refused: dict[str, tuple[PersonLine, str]] = {}
            for line, write in writes:
                name = write.after.user_principal_name.lower()
                holder = holders.get(name)
                if name in taken:
                    refused[write.after.id] = line, taken[name]
                elif holder is not None and holder != write.after.id and leaves.get(holder, name) == name:
                    refused[write.after.id] = line, holder
                else:
                    taken[name] = write.after.id
            if not refused:
                return [write for _, write in writes]
            writes = [(line, write) for line, write in writes if write.after.id not in refused]
            if is_last_try or len(self.postponed) >= _MOST_POSTPONED:
                await self._refuse_names(edit, list(refused.values()))
            else:
                self.postponed.extend(line for line, _ in refused.values())

    async def _refuse_names(self, edit: Edit, refused: Sequence[tuple[PersonLine, str]]) -> None:
        holders = await store.read_people(edit.connection, [holder for _, holder in refused])
        for line, holder in refused:
            name = line.values.get("userPrincipalName")
            other = holders.get(holder)
            source = other.source if other else self.source
            if source != self.source:
                self.result.taken_by[source] = self.result.taken_by.get(source, 0) + 1
            of_source = f" of the source {source}" if source != self.source else ""
            reason = f"{name} belongs to another person{of_source} ({holder})"
            self._reject(BadRow(line.line, "userPrincipalName", reason, line.key, cause=Cause.TAKEN))

    async def _answer_waiting(self, edit: Edit, writes: Sequence[PersonWrite]) -> None:
        """Resolve references that waited for these people to be imported: set the manager of their reports, and add their group
        memberships.
        """
        ids = {
            key: write.after.id
            for write in writes
            for key in (write.after.anchor, key_of(write.after.user_principal_name))
        }
        if not ids:
            return
        reports = await store.waiting_for_manager(edit.connection, self.source, list(ids))
        answered = [
            PersonWrite(replace(one, manager_id=ids[one.manager_anchor], manager_anchor=None), one)
            for one in reports
            if one.manager_anchor
        ]
        await write_people(edit, answered)
        edges = await group_store.take_awaited(
            edit.connection, self.source, {key: (person, USER) for key, person in ids.items()}
        )
        if edges:
            await add_members(edit, edges, generation=self.generation)

    def _count(self, writes: Iterable[PersonWrite]) -> None:
        for write in writes:
            before, after = write.before, write.after
            is_back = before is not None and before.deleted_at is not None
            changed = difference(before, after)[0] if before is not None and not is_back else []
            what = self.result.count(is_new=before is None, is_back=is_back, is_changed=bool(changed))
            if what:
                self.result.name(what, after.user_principal_name, after.display, changed)

    def _reject(self, row: BadRow) -> None:
        self.result.reject(row, most=self.most_details)


def as_guid(text: str) -> str:
    """Return *text* as a GUID in canonical form, or "" if it is not a GUID."""
    try:
        return str(uuid.UUID(text)) if len(text) == 36 else ""
    except ValueError:
        return ""
