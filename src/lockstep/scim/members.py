"""Separate the changes of a group's members from the rest of a PATCH. Stores keep members in rows, not in the document of the
group.

A remove that lists members removes only those members. To remove all of them, a client sends `remove members` without a value or
a `replace` with an empty list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.scim.errors import invalid_path, invalid_value, mutability_error
from lockstep.scim.filters import Comparison, Filter, Or
from lockstep.scim.operations import Operation


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group. *value* is the id of a user or group. *type* is "User", "Group", or "" if the client did not send a
    type.
    """

    value: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class AddMembers:
    """Add members. Members that are already in the group are not changed."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class RemoveMembers:
    """Remove members. Members that the group does not have are ignored."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplaceMembers:
    """Replace the whole list of members with *members*."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class RemoveAllMembers:
    """Remove all members."""


MemberChange = AddMembers | RemoveMembers | ReplaceMembers | RemoveAllMembers


def split_member_operations(operations: Sequence[Operation]) -> tuple[list[MemberChange], list[Operation]]:
    """Split *operations* into the changes of members and the remaining operations. Both lists keep the order.

    The input comes from `normalize_patch`; `apply_patch` takes the remaining operations. Raises ScimError for a member without an id, and
    for a filter on an attribute other than `value`.
    """
    changes: list[MemberChange] = []
    rest: list[Operation] = []
    for operation in operations:
        path = operation.path
        if path is None:
            members, others = _split_object(operation)
            changes += members
            rest += others
        elif path.attribute.lower() == "members" and not path.schema.lower().startswith(_EXTENSION):
            changes += _member_change(operation)
        else:
            rest.append(operation)
    return changes, rest


def read_members(value: Any) -> tuple[Member, ...]:
    """Read the `members` value of a create, replace or PATCH. The order is kept and duplicates are dropped."""
    items = value if isinstance(value, list) else [value]
    members: dict[str, Member] = {}
    for item in items:
        member = _member(item)
        members.setdefault(member.value, member)
    return tuple(members.values())


_EXTENSION = "urn:ietf:params:scim:schemas:extension:"


def _split_object(operation: Operation) -> tuple[list[MemberChange], list[Operation]]:
    value = operation.value
    if operation.op == "remove" or not isinstance(value, dict):
        return [], [operation]
    names = [name for name in value if name.lower() == "members"]
    if not names:
        return [], [operation]
    changes = [change for name in names for change in _whole_list(operation.op, value[name])]
    others = {name: item for name, item in value.items() if name not in names}
    return changes, [Operation(operation.op, None, others)] if others else []


def _member_change(operation: Operation) -> list[MemberChange]:
    path = operation.path
    if path is None:
        return []
    if path.filter is None:
        if path.sub:
            raise mutability_error(
                f"members.{path.sub} cannot be changed: remove the member and add another.", "members"
            )
        return _whole_list(operation.op, operation.value)
    values = _selected_values(path.filter)
    if operation.op == "remove" and not path.sub:
        return [RemoveMembers(values)]
    raise mutability_error("A member cannot be changed in place: remove it and add another.", "members")


def _whole_list(op: str, value: Any) -> list[MemberChange]:
    if op == "remove":
        if value is not None:
            raise invalid_value(
                'A remove operation takes no value: select the members with a filter, as in members[value eq "..."].',
                "members",
            )
        return [RemoveAllMembers()]
    members = read_members(value) if value is not None else ()
    if op == "replace":
        return [ReplaceMembers(members)] if members else [RemoveAllMembers()]
    return [AddMembers(members)] if members else []


def _selected_values(selection: Filter) -> tuple[str, ...]:
    comparisons = selection.terms if isinstance(selection, Or) else (selection,)
    values = []
    for comparison in comparisons:
        if (
            not isinstance(comparison, Comparison)
            or comparison.op != "eq"
            or comparison.path.name.lower() != "value"
            or not isinstance(comparison.value, str)
        ):
            raise invalid_path('Members are selected by their id: members[value eq "..."].', "members")
        values.append(comparison.value)
    return tuple(dict.fromkeys(values))


def _member(item: Any) -> Member:
    if not isinstance(item, dict):
        raise invalid_value('A member must be an object: {"value": "<id>"}.', "members")
    folded = {name.lower(): value for name, value in item.items()}
    value, kind = folded.get("value"), folded.get("type")
    if not isinstance(value, str) or not value:
        raise invalid_value("members.value is required: send the id of the user or group.", "members.value")
    return Member(value, kind if isinstance(kind, str) else "")


def shown_members(resource: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the ids of the members of the group *resource*, or None if the resource has no list of members."""
    listed = next((value for name, value in resource.items() if name.lower() == "members"), None)
    if not isinstance(listed, list):
        return None
    return frozenset(str(one["value"]) for one in listed if isinstance(one, Mapping) and one.get("value"))
