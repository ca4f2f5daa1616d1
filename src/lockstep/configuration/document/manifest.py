"""Read the `appRoles` of an application manifest in the form in which Entra shows it and lets administrators download it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from lockstep.configuration.document.strict_json import ConfigurationError, Part
from lockstep.engine.records import DEFAULT_ACCESS, AppRole

MAX_VALUE = 120


def roles_from_manifest(value: Any) -> tuple[AppRole, ...]:
    """Read the `appRoles` of a manifest: the list itself, or an object that contains it. Raises ConfigurationError."""
    entries = value.get("appRoles") if isinstance(value, Mapping) else value
    if not isinstance(entries, list):
        raise ConfigurationError("appRoles", "must be a list of roles")
    roles: list[AppRole] = []
    for index, entry in enumerate(entries):
        role = _role(Part(entry, f"appRoles[{index}]"))
        for other in roles:
            if other.id == role.id:
                raise ConfigurationError(
                    f"appRoles[{index}].id", f"the role {other.display_name!r} already has this id"
                )
            if role.value and other.value.lower() == role.value.lower():
                raise ConfigurationError(f"appRoles[{index}].value", f"the value {role.value!r} is used twice")
        roles.append(role)
    return tuple(roles)


def _role(part: Part) -> AppRole:
    # Manifests contain keys that Lockstep does not use (origin, lang, description, allowedMemberTypes). They are not errors.
    role = AppRole(
        id=_guid(part),
        value=part.text("value"),
        display_name=part.text("displayName", required=True),
        is_enabled=part.boolean("isEnabled", default=True),
    )
    if len(role.value) > MAX_VALUE:
        raise part.error("value", f"the limit is {MAX_VALUE} characters")
    return role


def _guid(part: Part) -> str:
    text = part.text("id", required=True)
    try:
        guid = str(UUID(text))
    except ValueError:
        raise part.error("id", f'must be a GUID, got "{text[:40]}"') from None
    if guid == DEFAULT_ACCESS:
        raise part.error("id", "the zero GUID means default access and cannot be used as a role id")
    return guid
