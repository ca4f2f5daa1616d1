"""Assign people and groups to an application, and remove assignments.

The people and groups affected are marked for provisioning in the same transaction. One principal may have several roles; the order of the
application's role list decides which one counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.directory.edit import Edit
from lockstep.directory.roles import find_role
from lockstep.engine.records import DEFAULT_ACCESS
from lockstep.errors import invalid, not_found
from lockstep.storage import assignments as store
from lockstep.storage.applications import ApplicationRow, RoleRow
from lockstep.storage.assignments import AssignmentRow

ASSIGNMENT = "Assignment"


def choose_role(
    roles: Sequence[RoleRow], wanted: str | None, app: ApplicationRow, *, also_disabled: bool = False
) -> str:
    """Return the id of a role to assign. *wanted* names the role by value, display name or id, in any letter case. An empty *wanted* stands
    for default access.

    Raises LockstepError if the role is unknown, ambiguous, only for applications or, unless *also_disabled* is true, disabled.
    """
    role = _named(roles, wanted, app)
    if role is None:
        return DEFAULT_ACCESS
    if not (role.is_enabled or also_disabled):
        raise invalid(
            f'The role "{role.display_name}" of {app.display_name} is disabled',
            next_step=f"Enable it: lockstep apps roles enable {app.name} {role.value}",
        )
    if not _is_for_people(role):
        raise invalid(
            f'The role "{role.display_name}" of {app.display_name} is for applications, not for people or groups',
            why=f"Its allowed member types are: {', '.join(role.allowed_member_types)}",
            next_step=f"See: lockstep apps roles list {app.name}",
        )
    return role.id


def known_role(roles: Sequence[RoleRow], wanted: str | None, app: ApplicationRow) -> str:
    """Return the id of a role that may be assigned already, and may no longer be assignable. *wanted* is as in `choose_role`. Raises
    LockstepError if the role is unknown or ambiguous.
    """
    role = _named(roles, wanted, app)
    return DEFAULT_ACCESS if role is None else role.id


def _named(roles: Sequence[RoleRow], wanted: str | None, app: ApplicationRow) -> RoleRow | None:
    """Return the role called *wanted*, or None for default access."""
    if not wanted or wanted == DEFAULT_ACCESS or wanted.lower() == "default access":
        return None
    role = find_role(roles, wanted)
    if role is not None:
        return role
    named = ", ".join(role.value or role.display_name for role in roles if role.is_enabled and _is_for_people(role))
    raise not_found(
        f'{app.display_name} has no role "{wanted}"',
        next_step=f"Its roles are: {named}" if named else f"Add it: lockstep apps roles add {app.name} {wanted}",
    )


def _is_for_people(role: RoleRow) -> bool:
    return "User" in role.allowed_member_types


async def assign(edit: Edit, app: ApplicationRow, *, kind: str, principal: str, role: str) -> bool:
    """Assign a person or group. Returns False if the assignment already exists."""
    if not await store.insert_assignment(edit.connection, app.id, kind=kind, principal=principal, role=role):
        return False
    after = {"application": app.name, "applicationId": app.id, "roleId": role, "principalKind": kind}
    edit.record(ASSIGNMENT, principal, "assigned", changed=["appRoleAssignments"], after=after)
    await edit.mark_assignment(app.id, kind, principal, reason="assigned")
    return True


async def unassign(edit: Edit, rows: Sequence[AssignmentRow]) -> None:
    """Remove the assignments *rows*. Affected people are marked as leavers; if they have another assignment, they keep access."""
    await store.delete_assignments(edit.connection, [row.id for row in rows])
    for row in rows:
        before = {
            "application": row.app_name,
            "applicationId": row.app,
            "roleId": row.role_id,
            "principalKind": row.kind,
        }
        edit.record(ASSIGNMENT, row.principal_id, "unassigned", changed=["appRoleAssignments"], before=before)
        await edit.mark_assignment(row.app, row.kind, row.principal_id, reason="unassigned", is_leaving=True)
