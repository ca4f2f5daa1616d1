"""Assign people and groups to an application, with a role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.lookup import find_application, find_group, find_person
from lockstep.actions.permissions import Permission
from lockstep.directory.assignments import assign as write_assignment
from lockstep.directory.assignments import choose_role, known_role
from lockstep.directory.assignments import unassign as take_back
from lockstep.directory.groups import GROUP
from lockstep.directory.people import USER
from lockstep.directory.roles import find_role
from lockstep.errors import invalid, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import applications
from lockstep.storage import assignments as store
from lockstep.storage.assignments import AssignmentRow as AssignmentRow

PAGE = 500


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or group that was found by name."""

    kind: str
    id: str
    name: str


@needs(Permission.ASSIGNMENTS_WRITE, app="app")
async def assign(
    context: Context,
    app: str,
    *,
    users: Sequence[str] = (),
    groups: Sequence[str] = (),
    role: str | None = None,
    also_disabled: bool = False,
) -> list[AssignmentRow]:
    """Assign all these people and groups to the application, or none of them. Returns the new assignments.

    Raises LockstepError, with suggestions, for an unknown name or role, and for a disabled role unless *also_disabled* is true.
    """
    async with context.changing() as edit:
        found = await find_application(edit.connection, app)
        principals = await _principals(edit.connection, users, groups)
        known = await applications.read_roles(edit.connection, found.id)
        role_id = choose_role(known, role, found, also_disabled=also_disabled)
        new: list[AssignmentRow] = []
        for one in principals:
            if await write_assignment(edit, found, kind=one.kind, principal=one.id, role=role_id):
                rows = await store.assignments_of_principal(edit.connection, one.id, app=found.id)
                row = next(row for row in rows if row.role_id == role_id)
                new.append(row)
                noun = "user" if one.kind == USER else "group"
                after = {"application": found.name, "role": row.role_name}
                await audit(edit, f"Add app role assignment to {noun}", one.name, after=after)
    return new


@needs(Permission.ASSIGNMENTS_WRITE, app="app")
async def reassign(
    context: Context, app: str, *, users: Sequence[str] = (), groups: Sequence[str] = (), role: str | None = None
) -> tuple[list[AssignmentRow], list[AssignmentRow]]:
    """Make *role* the only role that is directly assigned to each of these people and groups. Returns the assignments that were added and
    those that were removed.

    The new assignments are added first, and the others are removed in the same transaction. A person is therefore never without an
    assignment, which would make Lockstep disable the account.
    """
    async with context.together() as inner, inner.changing() as edit:
        new = await assign(inner, app, users=users, groups=groups, role=role)
        found = await find_application(edit.connection, app)
        wanted = choose_role(await applications.read_roles(edit.connection, found.id), role, found)
        gone: list[AssignmentRow] = []
        for one in await _principals(edit.connection, users, groups):
            rows = await store.assignments_of_principal(edit.connection, one.id, app=found.id)
            others = [row for row in rows if row.role_id != wanted]
            if others:
                await take_back(edit, others)
                noun = "user" if one.kind == USER else "group"
                before = {"application": found.name, "roles": [row.role_name for row in others]}
                await audit(edit, f"Remove app role assignment from {noun}", one.name, before=before)
            gone += others
    return new, gone


@needs(Permission.APPLICATIONS_READ, app="app")
async def role_warning(context: Context, app: str, role: str | None) -> str:
    """Return a warning if the gallery lists the application's roles and *role* is not among them; otherwise ""."""
    async with context.reading() as connection:
        found = await find_application(connection, app)
        chosen = find_role(await applications.read_roles(connection, found.id), role or "")
    known = context.gallery.template(found.template).roles if found.template in context.gallery.names() else ()
    if chosen is None or not known or chosen.value.casefold() in {one.value.casefold() for one in known}:
        return ""
    names = ", ".join(one.value for one in known)
    return (
        f"{found.display_name} may not know the role {chosen.value} (known roles: {names}). "
        "It may silently assign its default role instead."
    )


@needs(Permission.ASSIGNMENTS_WRITE, app="app")
async def unassign(
    context: Context, app: str, *, users: Sequence[str] = (), groups: Sequence[str] = (), role: str | None = None
) -> list[AssignmentRow]:
    """Remove the assignments of these people and groups: all of them, or only those with *role* if it is given. Returns the removed
    assignments.
    """
    async with context.changing() as edit:
        found = await find_application(edit.connection, app)
        principals = await _principals(edit.connection, users, groups)
        wanted = known_role(await applications.read_roles(edit.connection, found.id), role, found) if role else None
        gone: list[AssignmentRow] = []
        for one in principals:
            rows = await store.assignments_of_principal(edit.connection, one.id, app=found.id)
            rows = [row for row in rows if wanted is None or row.role_id == wanted]
            if not rows:
                raise not_found(
                    f"{one.name} is not assigned to {found.display_name}",
                    next_step=f"See: lockstep assign list {found.name}",
                )
            await take_back(edit, rows)
            noun = "user" if one.kind == USER else "group"
            before = {"application": found.name, "roles": [row.role_name for row in rows]}
            await audit(edit, f"Remove app role assignment from {noun}", one.name, before=before)
            gone.extend(rows)
    return gone


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_assignments(
    context: Context, app: str, *, search: str = "", kind: str = "", after: Sequence[str] = (), limit: int = PAGE
) -> list[AssignmentRow]:
    """Return one page of the assignments: groups first, then people, both sorted by name. *search* is a part of the name; *kind* is "User",
    "Group" or "" for both. *after* is the `place` of the last row on the previous page.
    """
    async with context.reading() as connection:
        found = await find_application(connection, app)
        return await store.page_of_assignments(connection, found.id, search=search, kind=kind, after=after, limit=limit)


async def _principals(connection: Connection, users: Sequence[str], groups: Sequence[str]) -> list[Principal]:
    if not users and not groups:
        raise invalid("No person or group was given", next_step="Give one: --user NAME or --group NAME")
    found = []
    for name in dict.fromkeys(users):
        person = await find_person(connection, name)
        found.append(Principal(USER, person.id, person.user_principal_name))
    for name in dict.fromkeys(groups):
        group = await find_group(connection, name)
        found.append(Principal(GROUP, group.id, group.display_name))
    return found
