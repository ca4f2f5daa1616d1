"""The assignments of an application, as its pages show them: one part of the list at a time, with the number of people in each assigned
group. Also find the people and groups that can be assigned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.lookup import find_application, find_group, find_person
from lockstep.actions.permissions import Permission
from lockstep.directory.assignments import unassign as take_back
from lockstep.directory.people import USER
from lockstep.storage import assigned_pages, groups, people
from lockstep.storage import assignments as store
from lockstep.storage.assigned_pages import AssignedRow
from lockstep.storage.assignments import AssignmentRow
from lockstep.storage.people import PersonFilter

PAGE = 50
MOST_FOUND = 12


@dataclass(frozen=True, slots=True)
class AssignmentPage:
    """One page of assignments. *next* is the position at which the following page begins, or "" on the last page."""

    rows: Sequence[AssignedRow]
    next: str


@dataclass(frozen=True, slots=True)
class AssignableObject:
    """A person or group that can be assigned. *reach* is the number of people who would get access through the assignment."""

    kind: str
    id: str
    name: str
    detail: str
    reach: int = 1

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"


@needs(Permission.APPLICATIONS_READ, app="app")
async def page_of_assignments(context: Context, app: str, *, search: str = "", after: str = "") -> AssignmentPage:
    """Return one page of assignments: groups first, then people, each sorted by name. *after* is the *next* of the previous page."""
    async with context.reading() as connection:
        found = await find_application(connection, app)
        rows = await assigned_pages.read_page(connection, found.id, search=search, after=after, limit=PAGE + 1)
    last = rows[PAGE - 1].position if len(rows) > PAGE else ""
    return AssignmentPage(rows[:PAGE], last)


@needs(Permission.APPLICATIONS_READ, app="app")
async def some_assignments(context: Context, app: str, ids: Sequence[str]) -> list[AssignmentRow]:
    """Return the assignments of *app* whose ids are in *ids*."""
    async with context.reading() as connection:
        found = await find_application(connection, app)
        return await store.assignments_with_ids(connection, found.id, ids)


@needs(Permission.ASSIGNMENTS_WRITE, app="app")
async def remove_assignments(context: Context, app: str, ids: Sequence[str]) -> int:
    """Remove the assignments of *app* whose ids are in *ids*. Returns the number of removed assignments."""
    async with context.changing() as edit:
        found = await find_application(edit.connection, app)
        rows = await store.assignments_with_ids(edit.connection, found.id, ids)
        await take_back(edit, rows)
        for one in rows:
            noun = "user" if one.kind == USER else "group"
            before = {"application": found.name, "role": one.role_name}
            await audit(edit, f"Remove app role assignment from {noun}", one.principal, before=before)
    return len(rows)


@needs(Permission.APPLICATIONS_READ, app="app")
async def find_candidates(context: Context, app: str, search: str) -> list[AssignableObject]:
    """Return the groups, then the people, whose names contain *search*. If *search* is empty, returns the first few of each."""
    async with context.reading() as connection:
        await find_application(connection, app)
        some = await groups.list_groups(connection, search=search, limit=MOST_FOUND)
        persons = await people.list_people(connection, PersonFilter(search=search, limit=MOST_FOUND))
        members = await assigned_pages.count_members(connection, [group.id for group, _ in some])
    return [
        *(
            AssignableObject("Group", group.id, group.display_name, "Group", members.get(group.id, 0))
            for group, _ in some
        ),
        *(AssignableObject("User", one.id, one.display, one.user_principal_name) for one in persons),
    ]


@needs(Permission.DIRECTORY_READ)
async def candidates_of(context: Context, users: Sequence[str], group_ids: Sequence[str]) -> list[AssignableObject]:
    """Return the people and groups with these ids. Raises LockstepError if one does not exist."""
    async with context.reading() as connection:
        found_groups = [await find_group(connection, one) for one in group_ids]
        members = await assigned_pages.count_members(connection, [one.id for one in found_groups])
        found = [
            AssignableObject("Group", one.id, one.display_name, "Group", members.get(one.id, 0)) for one in found_groups
        ]
        for one in users:
            person = await find_person(connection, one)
            found.append(AssignableObject("User", person.id, person.display, person.user_principal_name))
        return found
