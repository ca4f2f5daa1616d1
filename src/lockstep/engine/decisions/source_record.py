"""Build the record that expressions and filters read: the object's attributes, and values computed from its state.

`IsSoftDeleted` is "True" for everyone who must not have access: people who are out of scope, disabled or deleted. A mapping of `active`
needs no other attribute.
"""

from __future__ import annotations

from typing import Any

from lockstep.engine.records import Assignment, SourceObject
from lockstep.engine.rules.conditions import MEMBER_OF
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.roles import roles_of

IS_SOFT_DELETED = "IsSoftDeleted"
MANAGER = "manager"
OF_MANAGER = f"{MANAGER}."  # prefix of the manager's attributes: manager.department


def source_record(obj: SourceObject, configuration: JobConfiguration, *, is_soft_deleted: bool) -> dict[str, Any]:
    """Return the attributes of *obj* with accountEnabled, objectId, references, appRoleAssignments and IsSoftDeleted."""
    record: dict[str, Any] = dict(obj.attributes)
    if obj.references:
        record.update(obj.references)
    record["accountEnabled"] = obj.account_enabled
    record["objectId"] = obj.id
    record["appRoleAssignments"] = _roles(obj.assignments, configuration)
    record[IS_SOFT_DELETED] = "True" if is_soft_deleted else "False"
    if obj.groups:
        record[MEMBER_OF] = obj.groups
    return record


def _roles(assignments: tuple[Assignment, ...], configuration: JobConfiguration) -> tuple[dict[str, str], ...]:
    if len(assignments) != 1:
        return roles_of(assignments, configuration.roles)
    role = configuration.roles_by_id.get(assignments[0].role_id)
    return (
        ()
        if role is None or not role.is_enabled
        else ({"id": role.id, "value": role.value, "displayName": role.display_name},)
    )
