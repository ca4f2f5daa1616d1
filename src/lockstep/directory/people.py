"""Write people. Each changed person gets a new version and an entry in the feed, and the affected objects are marked.

People are written in batches; a single person is a batch of one. An unchanged person is not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lockstep.directory.attributes import PERSON_ATTRIBUTES, check_user_principal_name, parse_value, person_attribute
from lockstep.directory.dynamic_groups import refresh_people
from lockstep.directory.edit import Edit
from lockstep.engine.records import ObjectKind
from lockstep.errors import conflict, invalid
from lockstep.storage import people as store
from lockstep.storage.people import PersonRow
from lockstep.wording import did_you_mean

USER = str(ObjectKind.USER)
MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class PersonWrite:
    """The desired state of a person. *before* is None for a new person. *row_hash* is the hash of the source's row, or None for an edit
    by hand.
    """

    after: PersonRow
    before: PersonRow | None = None
    row_hash: str | None = None
    generation: int | None = None


def with_attributes(person: PersonRow, values: Mapping[str, Any]) -> PersonRow:
    """Return *person* with *values* applied. A value of None removes the attribute."""
    attributes = {name: value for name, value in ({**person.attributes, **values}).items() if value is not None}
    return replace(
        person,
        attributes=attributes,
        user_principal_name=str(attributes["userPrincipalName"]),
        account_enabled=attributes.get("accountEnabled") is not False,
    )


async def write_people(edit: Edit, writes: Sequence[PersonWrite]) -> None:
    """Write people. A person in *writes* may get the user principal name that another person in *writes* has now. The caller must have
    checked that no person outside *writes* has one of the new names.
    """
    new = [write for write in writes if write.before is None]
    old = [write for write in writes if write.before is not None]
    leavers, back, others = _sorted_by_life(old)
    await _free_names(edit, old)
    if old:
        await store.update_people(edit.connection, [_columns(write) for write in old])
    if new:
        await store.insert_people(edit.connection, [_columns(write) for write in new])
    await _note(edit, new, what="created", reason="created", concerns_all=True)
    await _note(edit, leavers, what="deleted", reason="deleted", concerns_all=True, is_leaving=True)
    await _note(edit, back, what="restored", reason="restored", concerns_all=True)
    off = [write for write in others if _was_enabled(write) and not write.after.account_enabled]
    on = [write for write in others if not _was_enabled(write) and write.after.account_enabled]
    rest = [write for write in others if _was_enabled(write) is write.after.account_enabled]
    await _note(edit, off, what="updated", reason="disabled", concerns_all=True, is_leaving=True)
    await _note(edit, on, what="updated", reason="enabled", concerns_all=True)
    await _note(edit, rest, what="updated", reason="changed")
    await _follow_rules(edit, writes)


async def set_attributes(edit: Edit, person: PersonRow, texts: Mapping[str, str]) -> PersonRow:
    """Change attributes by hand. *texts* maps names to new values; an empty string removes the attribute. Raises LockstepError for an
    invalid name or value.
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        attribute = person_attribute(name)
        if attribute is None:
            raise invalid(
                f'Unknown attribute "{name}"',
                next_step=did_you_mean(
                    name, PERSON_ATTRIBUTES, most=3, otherwise="Extension attributes: extension_<appId>_<name>"
                ),
            )
        try:
            values[attribute.name] = parse_value(attribute, text)
            if attribute.name == "userPrincipalName":
                check_user_principal_name(text.strip())
        except ValueError as wrong:
            raise invalid(f"{attribute.name} {wrong}") from None
    if "accountEnabled" in values and values["accountEnabled"] is None:
        raise invalid("accountEnabled must be True or False")
    after = with_attributes(person, values)
    await _refuse_taken_name(edit, after)
    if difference(person, after)[0]:
        await write_people(edit, [PersonWrite(after, person)])
    return after


async def set_manager(edit: Edit, person: PersonRow, manager: PersonRow | None) -> PersonRow:
    """Set or clear a person's manager. Raises LockstepError if somebody would become their own manager."""
    if manager is not None and manager.id == person.id:
        raise invalid(f"{person.user_principal_name} cannot be their own manager")
    after = replace(person, manager_id=manager.id if manager else None, manager_anchor=None)
    if after.manager_id != person.manager_id:
        await write_people(edit, [PersonWrite(after, person)])
    return after


async def delete_people(edit: Edit, people: Iterable[PersonRow], *, at: datetime, by_source: bool = False) -> int:
    """Move people to the recycle bin. With *by_source*, the stored hashes of their rows are cleared too. If a row then reappears in the
    source, it restores its person.
    """
    writes = [
        PersonWrite(replace(person, deleted_at=at), person, row_hash="" if by_source else None)
        for person in people
        if person.deleted_at is None
    ]
    await write_people(edit, writes)
    return len(writes)


async def restore_person(edit: Edit, person: PersonRow) -> PersonRow:
    """Restore a person from the recycle bin. Raises LockstepError if another person now has their user principal name."""
    after = replace(person, deleted_at=None)
    await _refuse_taken_name(edit, after)
    await write_people(edit, [PersonWrite(after, person)])
    return after


def difference(before: PersonRow | None, after: PersonRow) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    """Return the names of the attributes that differ, with their old and new values. An absent attribute counts as None."""
    old = _comparable(before) if before else {}
    new = _comparable(after)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return names, {name: old[name] for name in names if name in old}, {name: new[name] for name in names if name in new}


def _comparable(person: PersonRow) -> dict[str, Any]:
    values = {name: value for name, value in person.attributes.items() if value is not None}
    if person.manager_id:
        values[MANAGER] = person.manager_id
    return values


def _sorted_by_life(writes: Sequence[PersonWrite]) -> tuple[list[PersonWrite], list[PersonWrite], list[PersonWrite]]:
    leavers: list[PersonWrite] = []
    back: list[PersonWrite] = []
    others: list[PersonWrite] = []
    for write in writes:
        was_deleted = write.before is not None and write.before.deleted_at is not None
        is_deleted = write.after.deleted_at is not None
        (others if was_deleted == is_deleted else leavers if is_deleted else back).append(write)
    return leavers, back, others


def _was_enabled(write: PersonWrite) -> bool:
    return write.before is not None and write.before.account_enabled


async def _free_names(edit: Edit, writes: Sequence[PersonWrite]) -> None:
    """Clear the old user principal names of people who get a new one, before the new names are written. Otherwise the unique index would
    refuse two people who exchange their names in one statement.
    """
    moving = [
        w for w in writes if w.before and w.before.user_principal_name.lower() != w.after.user_principal_name.lower()
    ]
    coming = moving + [w for w in writes if w.before and w.before.deleted_at and not w.after.deleted_at]
    given_up = {write.before.user_principal_name.lower() for write in moving if write.before}
    if given_up & {write.after.user_principal_name.lower() for write in coming}:
        await store.free_names(edit.connection, [write.after.id for write in moving])


async def _note(
    edit: Edit,
    writes: Sequence[PersonWrite],
    *,
    what: str,
    reason: str,
    concerns_all: bool = False,
    is_leaving: bool = False,
) -> None:
    if not writes:
        return
    rows = []
    for write in writes:
        changed, before, after = difference(write.before, write.after)
        if not changed and not concerns_all:
            continue  # only the source's row or an awaited manager changed
        edit.record(USER, write.after.id, what, changed=changed, before=before if write.before else None, after=after)
        if "userPrincipalName" in changed:
            changed = [*changed, "originalUserPrincipalName"]  # mappings derive it from the user principal name
        rows.append({"id": write.after.id, "changed": changed, "concerns_all": concerns_all})
    await edit.mark_changed(USER, rows, reason=reason, is_leaving=is_leaving)


async def _follow_rules(edit: Edit, writes: Sequence[PersonWrite]) -> None:
    """Evaluate the rules of dynamic groups for the written people. For new and restored people, all attributes count as changed."""
    changed: dict[str, list[str]] = {}
    live = [write for write in writes if write.after.deleted_at is None]
    for write in live:
        if write.before is None or write.before.deleted_at is not None:
            changed[write.after.id] = []
        elif names := difference(write.before, write.after)[0]:
            changed[write.after.id] = names
    await refresh_people(edit, [write.after for write in live if write.after.id in changed], changed)


async def _refuse_taken_name(edit: Edit, person: PersonRow) -> None:
    if person.deleted_at is not None:
        return
    holder = (await store.holders_of(edit.connection, [person.user_principal_name])).get(
        person.user_principal_name.lower()
    )
    if holder not in (None, person.id):
        raise conflict(
            f"{person.user_principal_name} belongs to another person ({holder})",
            next_step=f"Rename or delete that person first: lockstep people show {holder}",
        )


def _columns(write: PersonWrite) -> dict[str, Any]:
    person = write.after
    return {
        "id": person.id,
        "source": person.source,
        "anchor": person.anchor,
        "user_principal_name": person.user_principal_name,
        "account_enabled": person.account_enabled,
        "attributes": person.attributes,
        "manager_id": person.manager_id,
        "manager_anchor": person.manager_anchor,
        "deleted_at": person.deleted_at,
        "row_hash": write.row_hash,
        "generation": write.generation,
    }
