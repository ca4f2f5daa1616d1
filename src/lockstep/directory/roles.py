"""The roles of an application. Their order is the precedence, so moving a role affects everyone with several roles.

An assigned role cannot be removed until its assignments have been removed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from lockstep.configuration.document.manifest import roles_from_manifest
from lockstep.directory.edit import Edit
from lockstep.engine.records import AppRole
from lockstep.errors import conflict, invalid
from lockstep.storage import applications as store
from lockstep.storage.applications import ApplicationRow, RoleRow
from lockstep.wording import counted

APP_ROLE = "AppRole"
MAX_VALUE = 120
MAX_ROLES = 1200


async def replace_roles(edit: Edit, app: ApplicationRow, roles: Sequence[RoleRow]) -> None:
    """Replace all roles of the application by *roles*, and mark the holders of new roles and of roles whose place, value, name or state
    changed.

    Raises LockstepError for an invalid value, or if an assigned role would be removed.
    """
    _check(roles)
    before = await store.read_roles(edit.connection, app.id)
    if before == list(roles):
        return
    left = {role.id for role in roles}
    for gone in [role for role in before if role.id not in left]:
        holders = await store.count_holders(edit.connection, app.id, gone.id)
        if holders:
            held = counted(holders, "assignment")
            raise conflict(
                f'The role "{gone.display_name}" of {app.display_name} is used by {held}',
                next_step=f"Remove the assignments first: lockstep assign list {app.name}",
            )
    known = {role.id: (place, _as_planned(role)) for place, role in enumerate(before)}
    touched = [role.id for place, role in enumerate(roles) if known.get(role.id) != (place, _as_planned(role))]
    await store.write_roles(edit.connection, app.id, roles)
    edit.record(
        APP_ROLE,
        app.id,
        "updated",
        changed=["appRoles"],
        before={"appRoles": to_manifest(before)},
        after={"appRoles": to_manifest(roles)},
    )
    await edit.mark_roles(app.id, touched, reason="roles changed")


def find_role(roles: Sequence[RoleRow], wanted: str) -> RoleRow | None:
    """Return the role that *wanted* names, in any letter case, or None. A role with this id or value is preferred to a role with this
    display name.

    Raises LockstepError if several roles match.
    """
    folded = wanted.strip().lower()
    exact = [role for role in roles if folded and folded in (role.id, role.value.lower())]
    found = exact or [role for role in roles if role.display_name.lower() == folded]
    if len(found) > 1:
        values = ", ".join(role.value or role.id for role in found)
        raise conflict(
            counted(len(found), "role") + f' are called "{found[0].display_name}"',
            next_step=f"Specify one by its value: {values}",
        )
    return found[0] if found else None


def new_role(value: str, *, display_name: str = "", description: str = "") -> RoleRow:
    return RoleRow(str(uuid.uuid4()), value.strip(), display_name.strip() or value.strip(), description)


def from_manifest(value: Any) -> list[RoleRow]:
    """Check the `appRoles` of an Entra manifest and convert them to roles. Raises LockstepError for the first mistake."""
    roles_from_manifest(value)
    entries = value["appRoles"] if isinstance(value, Mapping) else value
    return [
        RoleRow(
            id=str(uuid.UUID(entry["id"])),
            value=entry.get("value") or "",
            display_name=entry["displayName"],
            description=entry.get("description") or "",
            is_enabled=entry.get("isEnabled", True),
            allowed_member_types=tuple(entry.get("allowedMemberTypes") or ("User",)),
        )
        for entry in entries
    ]


def to_manifest(roles: Sequence[RoleRow]) -> list[dict[str, Any]]:
    """Return the roles as the `appRoles` of a manifest, in order of precedence."""
    return [
        {
            "allowedMemberTypes": list(role.allowed_member_types),
            "description": role.description or role.display_name,
            "displayName": role.display_name,
            "id": role.id,
            "isEnabled": role.is_enabled,
            "value": role.value,
        }
        for role in roles
    ]


def _as_planned(role: RoleRow) -> AppRole:
    """Return the part of *role* that plans read."""
    return AppRole(role.id, role.value, role.display_name, role.is_enabled)


def _check(roles: Sequence[RoleRow]) -> None:
    if len(roles) > MAX_ROLES:
        raise invalid(f"An application can have at most {MAX_ROLES} roles, not {len(roles)}")
    values: set[str] = set()
    for role in roles:
        if len(role.value) > MAX_VALUE or any(letter.isspace() for letter in role.value):
            raise invalid(
                f'"{role.value[:MAX_VALUE]}" cannot be the value of a role', why="At most 120 characters, no spaces"
            )
        if not role.display_name:
            raise invalid("A role needs a name")
        if role.value and role.value.lower() in values:
            raise conflict(f'Two roles have the value "{role.value}"', next_step="Use different values")
        values.add(role.value.lower())
