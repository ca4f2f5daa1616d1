"""Order a person's assignments by the precedence of their application roles.

Roles that come earlier in the application's list take precedence. Default access (the zero GUID) is an assignment without a role.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lockstep.engine.records import AppRole, Assignment


def order_assignments(assignments: Iterable[Assignment], roles: Sequence[AppRole]) -> tuple[Assignment, ...]:
    """Sort the assignments by precedence: in the order of *roles*, direct before inherited, default access last."""
    rank = {role.id: index for index, role in enumerate(roles)}
    last = len(rank)

    def key(assignment: Assignment) -> tuple[int, bool, str]:
        return (rank.get(assignment.role_id, last), assignment.via_group is not None, assignment.via_group_name)

    return tuple(sorted(assignments, key=key))


def roles_of(assignments: Sequence[Assignment], roles: Sequence[AppRole]) -> tuple[dict[str, str], ...]:
    """Return the value of [appRoleAssignments] for expressions: the assigned roles that are enabled, in order of precedence. A role that
    was assigned several times is listed once.
    """
    if not assignments:
        return ()
    by_id = {role.id: role for role in roles if role.is_enabled}
    ordered = order_assignments(assignments, roles) if len(assignments) > 1 else assignments
    found = (by_id.get(role_id) for role_id in dict.fromkeys(assignment.role_id for assignment in ordered))
    return tuple({"id": role.id, "value": role.value, "displayName": role.display_name} for role in found if role)
