"""Groups as their pages show them: with one page of the members at a time, and with the effect of a new group's rule.

Members that are people and members that are groups can be changed in one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.group_rules import RuleDocument, RuleEffect, check_rule
from lockstep.actions.groups import change_members
from lockstep.actions.lookup import find_group
from lockstep.actions.permissions import Permission
from lockstep.directory import dynamic_groups
from lockstep.errors import LockstepError
from lockstep.storage import assignments, group_members
from lockstep.storage.assignments import AssignmentRow
from lockstep.storage.group_members import MemberRow as MemberRow
from lockstep.storage.groups import GroupRow

PAGE = 50


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A group with one page of its members. *total* counts all members. *next* is the position at which the following page begins; "" on
    the last page.
    """

    group: GroupRow
    members: Sequence[MemberRow]
    total: int
    next: str
    assignments: Sequence[AssignmentRow]


@needs(Permission.DIRECTORY_READ)
async def page_of_group(
    context: Context, name: str, *, search: str = "", after: str = "", limit: int = PAGE
) -> GroupPage:
    """Return a group, even one in the recycle bin, with at most *limit* of the members whose names contain *search*. *after* is the *next*
    of the previous page.
    """
    async with context.reading() as connection:
        try:
            group = await find_group(connection, name)
        except LockstepError as missing:
            try:
                group = await find_group(connection, name, is_deleted=True)
            except LockstepError:
                raise missing from None
        rows = await group_members.read_members(connection, group.id, search=search, after=after, limit=limit + 1)
        total = await group_members.count_members(connection, group.id)
        assigned = [
            one
            for one in await assignments.assignments_of_principal(connection, group.id)
            if context.actor.may(Permission.APPLICATIONS_READ, one.app)
        ]
    return GroupPage(group, rows[:limit], total, rows[limit - 1].position if len(rows) > limit else "", assigned)


@needs(Permission.PEOPLE_WRITE)
async def change_mixed_members(
    context: Context,
    name: str,
    *,
    add: Sequence[tuple[str, str]] = (),
    remove: Sequence[tuple[str, str]] = (),
) -> tuple[int, int]:
    """Add members to a group and remove members from it. Each member is a person or a group, and is given as its kind and its id. Makes all
    changes or none. Returns the number of added members and the number of removed members.
    """
    added = removed = 0
    async with context.together() as inner:
        for is_group, kind in ((False, "User"), (True, "Group")):
            coming = [one for found, one in add if found == kind]
            going = [one for found, one in remove if found == kind]
            if coming or going:
                more, fewer = await change_members(inner, name, add=coming, remove=going, groups_too=is_group)
                added, removed = added + more, removed + fewer
    return added, removed


@needs(Permission.DIRECTORY_READ)
async def effect_of_new_rule(context: Context, rule: RuleDocument) -> RuleEffect:
    """Return who would be a member of a new group with *rule*. Writes nothing. Raises LockstepError for an invalid rule."""
    check_rule(rule)
    async with context.reading() as connection:
        return await dynamic_groups.effect_of(connection, None, rule, context.now())
