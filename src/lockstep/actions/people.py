"""People: show them, edit them by hand, disable, delete and restore them.

An edit by hand lasts until the person's row in the source changes. Then the values of the row replace the edited ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.lookup import find_deleted_person, find_person
from lockstep.actions.permissions import Permission
from lockstep.actions.standing import AppStanding, standings
from lockstep.directory import lifecycle
from lockstep.directory.attributes import GROUP_ATTRIBUTES, PERSON_ATTRIBUTES, DirectoryAttribute
from lockstep.directory.people import (
    MANAGER,
    delete_people,
    difference,
    restore_person,
    set_attributes,
    set_manager,
)
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, assignments, changes, people, people_counts, sources
from lockstep.storage.assignments import AssignmentRow
from lockstep.storage.changes import ChangeRow
from lockstep.storage.people import PersonFilter as PersonFilter
from lockstep.storage.people import PersonRow as PersonRow
from lockstep.storage.people_counts import PersonCounts as PersonCounts
from lockstep.storage.sources import SourceRecord as SourceRecord


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person with everything that their page shows."""

    person: PersonRow
    manager: PersonRow | None
    groups: list[tuple[str, str]]  # id, display name
    assignments: list[AssignmentRow]
    applications: list[AppStanding]
    history: list[ChangeRow]


def known_attributes(*, of_groups: bool = False) -> list[DirectoryAttribute]:
    """Return the attributes of people, or of groups, by the names that mappings, filters and files use."""
    return list((GROUP_ATTRIBUTES if of_groups else PERSON_ATTRIBUTES).values())


@needs(Permission.DIRECTORY_READ)
async def list_people(context: Context, wanted: PersonFilter) -> list[PersonRow]:
    async with context.reading() as connection:
        return [] if await _is_hidden(context, connection, wanted) else await people.list_people(connection, wanted)


@needs(Permission.DIRECTORY_READ)
async def count_people(context: Context, wanted: PersonFilter) -> int:
    async with context.reading() as connection:
        return 0 if await _is_hidden(context, connection, wanted) else await people.count_people(connection, wanted)


@needs(Permission.DIRECTORY_READ)
async def count_states(context: Context, wanted: PersonFilter) -> PersonCounts:
    """Return the number of people in each state. Only people who match *wanted* are counted; the state that *wanted* itself asks for is
    ignored.
    """
    async with context.reading() as connection:
        if await _is_hidden(context, connection, wanted):
            return PersonCounts(0, 0, 0, 0)
        return await people_counts.count_states(connection, wanted)


@needs(Permission.DIRECTORY_READ)
async def filter_choices(context: Context) -> tuple[list[SourceRecord], list[str]]:
    """Return the values that a list of people can be filtered by: all sources, and all departments."""
    async with context.reading() as connection:
        return await sources.list_sources(connection), await people_counts.departments(connection)


@needs(Permission.DIRECTORY_READ)
async def show_person(context: Context, name: str, *, is_deleted: bool = False) -> PersonView:
    async with context.reading() as connection:
        find = find_deleted_person if is_deleted else find_person
        person = await find(connection, name)
        is_visible = partial(context.actor.may, Permission.APPLICATIONS_READ)
        managers = await people.read_people(connection, [person.manager_id]) if person.manager_id else {}
        return PersonView(
            person=person,
            manager=managers.get(person.manager_id or ""),
            groups=await people.groups_of(connection, person.id),
            assignments=[
                one for one in await assignments.assignments_of_principal(connection, person.id) if is_visible(one.app)
            ],
            applications=await standings(connection, person.id, is_visible),
            history=await changes.history_of(connection, person.id, limit=20),
        )


@needs(Permission.PEOPLE_WRITE)
async def set_person(context: Context, name: str, texts: Mapping[str, str]) -> PersonRow:
    """Change attributes of a person. *texts* maps the name of each attribute to its new value. An empty value removes the attribute, and
    the value of `manager` is the name of the manager. Raises LockstepError for an invalid name or value.
    """
    async with context.changing() as edit:
        person = await find_person(edit.connection, name)
        manager = next((text for key, text in texts.items() if key.lower() == MANAGER), None)
        others = {key: text for key, text in texts.items() if key.lower() != MANAGER}
        after = await set_attributes(edit, person, others)
        if manager is not None:
            found = await find_person(edit.connection, manager) if manager.strip() else None
            after = await set_manager(edit, after, found)
        changed, before_values, after_values = difference(person, after)
        if changed:
            await audit(edit, "Update user", person.user_principal_name, before=before_values, after=after_values)
    return after


@needs(Permission.PEOPLE_WRITE)
async def set_enabled(context: Context, names: Sequence[str], *, is_enabled: bool) -> list[PersonRow]:
    """Disable or enable all these people. If one of them does not exist, no one is changed."""
    async with context.changing() as edit:
        found = [await find_person(edit.connection, name) for name in dict.fromkeys(names)]
        done = []
        for person in found:
            done.append(await set_attributes(edit, person, {"accountEnabled": str(is_enabled)}))
            if person.account_enabled != is_enabled:
                activity = "Enable account" if is_enabled else "Disable account"
                await audit(
                    edit,
                    activity,
                    person.user_principal_name,
                    before={"accountEnabled": person.account_enabled},
                    after={"accountEnabled": is_enabled},
                )
    return done


@needs(Permission.PEOPLE_WRITE)
async def delete(context: Context, names: Sequence[str]) -> list[PersonRow]:
    """Move people to the recycle bin. They can be restored until they are deleted permanently."""
    async with context.changing() as edit:
        found = [await find_person(edit.connection, name) for name in dict.fromkeys(names)]
        await delete_people(edit, found, at=context.now())
        for person in found:
            await audit(edit, "Delete user", person.user_principal_name, before={"id": person.id})
    return found


@needs(Permission.PEOPLE_WRITE)
async def restore(context: Context, names: Sequence[str]) -> list[PersonRow]:
    """Restore people from the recycle bin."""
    async with context.changing() as edit:
        done = []
        for name in dict.fromkeys(names):
            person = await find_deleted_person(edit.connection, name)
            done.append(await restore_person(edit, person))
            await audit(edit, "Restore user", person.user_principal_name, after={"id": person.id})
    return done


@needs(Permission.PEOPLE_WRITE)
async def purge(context: Context, names: Sequence[str]) -> list[PersonRow]:
    """Permanently delete people who are in the recycle bin."""
    async with context.changing() as edit:
        found = [await find_deleted_person(edit.connection, name) for name in dict.fromkeys(names)]
        await lifecycle.purge_people(edit, found)
        for person in found:
            await audit(edit, "Hard delete user", person.user_principal_name, before={"id": person.id})
    return found


async def _is_hidden(context: Context, connection: Connection, wanted: PersonFilter) -> bool:
    """Whether *wanted* asks for the people who are assigned to an application that the caller may not see. Such a query finds nobody, as if
    the application did not exist.
    """
    if not wanted.app or context.actor.everywhere(Permission.APPLICATIONS_READ):
        return False
    found = await applications.find_application(connection, wanted.app)
    return found is None or not context.actor.may(Permission.APPLICATIONS_READ, found.id)
