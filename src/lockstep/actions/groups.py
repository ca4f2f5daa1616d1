"""Groups, created in Lockstep or read from a source. Administrators can edit the direct members of both kinds by hand."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context, Deletion, audit
from lockstep.actions.lookup import find_group, find_person
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.directory.attributes import GROUP_ATTRIBUTES, parse_value
from lockstep.directory.dynamic_groups import refresh_group, refuse_by_hand
from lockstep.directory.edit import Edit
from lockstep.directory.groups import GROUP, GroupWrite, add_members, delete_groups, remove_members, write_groups
from lockstep.directory.people import USER
from lockstep.errors import conflict, invalid
from lockstep.postgres.pool import Connection
from lockstep.storage import assignments, groups, sources
from lockstep.storage.assignments import AssignmentRow
from lockstep.storage.batches import as_id
from lockstep.storage.groups import Edge
from lockstep.storage.groups import GroupRow as GroupRow


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group with its first members and its assignments."""

    group: GroupRow
    members: list[dict[str, Any]]
    assignments: list[AssignmentRow]


@needs(Permission.DIRECTORY_READ)
async def list_groups(
    context: Context,
    *,
    search: str = "",
    is_deleted: bool | None = False,
    limit: int = 1000,
    after: tuple[str, str] = ("", ""),
) -> list[tuple[GroupRow, int]]:
    """Return groups sorted by name, each with the number of its direct members. *after* has the name and the id of the last group on the
    previous page.
    """
    async with context.reading() as connection:
        return await groups.list_groups(connection, search=search, is_deleted=is_deleted, limit=limit, after=after)


@needs(Permission.DIRECTORY_READ)
async def show_group(context: Context, name: str, *, most_members: int = 1000) -> GroupView:
    async with context.reading() as connection:
        group = await find_group(connection, name)
        return GroupView(
            group,
            await groups.members_of(connection, group.id, limit=most_members),
            [
                one
                for one in await assignments.assignments_of_principal(connection, group.id)
                if context.actor.may(Permission.APPLICATIONS_READ, one.app)
            ],
        )


@needs(Permission.PEOPLE_WRITE)
async def create_group(context: Context, name: str, *, description: str = "") -> GroupRow:
    """Create a group. Raises LockstepError if a group of that name exists."""
    async with context.changing() as edit:
        return await add_group(edit, name, description=description)


async def add_group(edit: Edit, name: str, *, description: str = "") -> GroupRow:
    """Create a group within *edit*. Raises LockstepError if a group of that name exists."""
    try:
        display_name = parse_value(GROUP_ATTRIBUTES["displayName"], name)
    except ValueError as wrong:
        raise invalid(f"The name of the group {wrong}") from None
    if not display_name:
        raise invalid("A group needs a name")
    if as_id(display_name) is not None:
        raise invalid(f"{display_name} would be mistaken for the id of a group", next_step="Choose another name")
    if await groups.find_groups(edit.connection, display_name):
        raise conflict(f"A group called {display_name} already exists", next_step="Choose another name")
    await _ensure_local_source(edit.connection)
    group_id = str(uuid.uuid4())
    attributes = {"displayName": display_name, "securityEnabled": True} | (
        {"description": description} if description else {}
    )
    group = GroupRow(group_id, LOCAL_SOURCE, group_id, display_name, attributes)
    await write_groups(edit, [GroupWrite(group)])
    await audit(edit, "Add group", display_name, after=attributes)
    return group


@needs(Permission.PEOPLE_WRITE)
async def delete_group(context: Context, name: str) -> GroupRow:
    """Move a group to the recycle bin. Its members lose the assignments that they have through the group."""
    async with context.changing() as edit:
        group = await find_group(edit.connection, name)
        if context.only_notes(Deletion(group=group.id)):
            return group
        await delete_groups(edit, [group], at=context.now())
        await audit(edit, "Delete group", group.display_name, before={"id": group.id})
    return group


@needs(Permission.PEOPLE_WRITE)
async def restore_group(context: Context, name: str) -> GroupRow:
    """Restore a group with its members and assignments. If the group has a rule, the rule is evaluated for all people."""
    async with context.changing() as edit:
        group = await find_group(edit.connection, name, is_deleted=True)
        after = replace(group, deleted_at=None)
        await write_groups(edit, [GroupWrite(after, group)])
        await refresh_group(edit, group.id)
        await audit(edit, "Restore group", group.display_name, after={"id": group.id})
    return after


@needs(Permission.PEOPLE_WRITE)
async def change_members(
    context: Context, name: str, *, add: Sequence[str] = (), remove: Sequence[str] = (), groups_too: bool = False
) -> tuple[int, int]:
    """Add and remove direct members, given by user principal name. With *groups_too*, the names of groups are accepted as well. Returns the
    number of added and of removed members.
    """
    async with context.changing() as edit:
        group = await find_group(edit.connection, name)
        refuse_by_hand(group)
        coming = [await _edge(edit.connection, group, one, is_group=groups_too) for one in add]
        going = [await _edge(edit.connection, group, one, is_group=groups_too) for one in remove]
        added = await add_members(edit, coming)
        removed = await remove_members(edit, going)
        if added:
            await audit(edit, "Add member to group", group.display_name, after={"members": list(add)})
        if removed:
            await audit(edit, "Remove member from group", group.display_name, before={"members": list(remove)})
    return added, removed


async def _edge(connection: Connection, group: GroupRow, name: str, *, is_group: bool) -> Edge:
    if not is_group:
        return Edge(group.id, (await find_person(connection, name)).id, USER)
    nested = await find_group(connection, name)
    if nested.id == group.id:
        raise invalid(f"{group.display_name} cannot be a member of itself")
    return Edge(group.id, nested.id, GROUP)


async def _ensure_local_source(connection: Connection) -> None:
    if await sources.read_source(connection, LOCAL_SOURCE) is None:
        await sources.save_source(connection, LOCAL_SOURCE, kind="local", display_name="Created in Lockstep", config={})
