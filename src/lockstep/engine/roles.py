"""Application roles: their manifest, and which of several assignments counts.

The order of the application's role list is the precedence. Default access (the zero GUID) is an assignment without a role.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from lockstep.engine.records import DEFAULT_ACCESS, AppRole, Assignment
from lockstep.engine.strict_json import ConfigurationError, Part

MAX_VALUE = 120


def order_assignments(assignments: Iterable[Assignment], roles: Sequence[AppRole]) -> tuple[Assignment, ...]:
    """The assignments by precedence: the order of *roles*, direct before inherited, default access last."""
    rank = {role.id: index for index, role in enumerate(roles)}
    last = len(rank)

    def key(assignment: Assignment) -> tuple[int, bool, str]:
        return (rank.get(assignment.role_id, last), assignment.via_group is not None, assignment.via_group_name)

    return tuple(sorted(assignments, key=key))


def roles_of(assignments: Sequence[Assignment], roles: Sequence[AppRole]) -> tuple[dict[str, str], ...]:
    """What expressions see as [appRoleAssignments]: the assigned roles by precedence, each once."""
    if not assignments:
        return ()
    by_id = {role.id: role for role in roles}
    ordered = order_assignments(assignments, roles) if len(assignments) > 1 else assignments
    found = (by_id.get(role_id) for role_id in dict.fromkeys(assignment.role_id for assignment in ordered))
    return tuple({"id": role.id, "value": role.value, "displayName": role.display_name} for role in found if role)


def roles_from_manifest(value: Any) -> tuple[AppRole, ...]:
    """Read the `appRoles` of a manifest: the list itself, or an object that holds it. Raises ConfigurationError."""
    entries = value.get("appRoles") if isinstance(value, Mapping) else value
    if not isinstance(entries, list):
        raise ConfigurationError("appRoles", "a list of roles is needed")
    roles: list[AppRole] = []
    for index, entry in enumerate(entries):
        role = _role(Part(entry, f"appRoles[{index}]"))
        for other in roles:
            if other.id == role.id:
                raise ConfigurationError(
                    f"appRoles[{index}].id", f"the role {other.display_name!r} has this id already"
                )
            if role.value and other.value.lower() == role.value.lower():
                raise ConfigurationError(f"appRoles[{index}].value", f"the value {role.value!r} is used twice")
        roles.append(role)
    return tuple(roles)


def _role(part: Part) -> AppRole:
    # Manifests carry more than we use (origin, lang, description, allowedMemberTypes): those keys are no mistake.
    role = AppRole(
        id=_guid(part),
        value=part.text("value"),
        display_name=part.text("displayName", required=True),
        is_enabled=part.boolean("isEnabled", default=True),
    )
    if len(role.value) > MAX_VALUE:
        raise part.error("value", f"at most {MAX_VALUE} characters are possible")
    return role


def _guid(part: Part) -> str:
    text = part.text("id", required=True)
    try:
        guid = str(UUID(text))
    except ValueError:
        raise part.error("id", f'a GUID is needed, got "{text[:40]}"') from None
    if guid == DEFAULT_ACCESS:
        raise part.error("id", "the zero GUID means default access and cannot be a role")
    return guid
