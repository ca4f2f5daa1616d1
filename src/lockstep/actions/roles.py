"""The roles of an application: add, remove, move, enable and disable roles. Import and export the role list as JSON in the form of an Entra
manifest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.lookup import find_application, unknown
from lockstep.actions.permissions import Permission
from lockstep.directory.roles import find_role, from_manifest, new_role, replace_roles, to_manifest
from lockstep.errors import conflict
from lockstep.storage import applications
from lockstep.storage.applications import RoleRow


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_roles(context: Context, app: str) -> list[RoleRow]:
    """Return the roles in order of precedence."""
    async with context.reading() as connection:
        found = await find_application(connection, app)
        return await applications.read_roles(connection, found.id)


@needs(Permission.APPLICATIONS_WRITE, app="app")
async def add_role(
    context: Context,
    app: str,
    value: str,
    *,
    display_name: str = "",
    description: str = "",
    position: int | None = None,
) -> RoleRow:
    """Add a role, at *position* or at the end. Position 1 has the highest precedence."""
    role = new_role(value, display_name=display_name, description=description)

    def added(roles: list[RoleRow]) -> list[RoleRow]:
        if any(role.value.lower() == one.value.lower() for one in roles):
            raise conflict(f"The role {role.value} already exists", next_step=f"See: lockstep apps roles list {app}")
        place = len(roles) if position is None else max(0, position - 1)
        return [*roles[:place], role, *roles[place:]]

    await _change(context, app, added)
    return role


@needs(Permission.APPLICATIONS_WRITE, app="app")
async def remove_role(context: Context, app: str, wanted: str) -> None:
    """Remove a role. Raises LockstepError while it is assigned."""
    await _change(context, app, lambda roles: [one for one in roles if one is not _find(roles, wanted)])


@needs(Permission.APPLICATIONS_WRITE, app="app")
async def set_role_enabled(context: Context, app: str, wanted: str, *, is_enabled: bool) -> None:
    """Enable or disable a role; a disabled role is not sent to the application."""

    def switched(roles: list[RoleRow]) -> list[RoleRow]:
        role = _find(roles, wanted)
        return [replace(one, is_enabled=is_enabled) if one is role else one for one in roles]

    await _change(context, app, switched)


@needs(Permission.APPLICATIONS_WRITE, app="app")
async def move_role(context: Context, app: str, wanted: str, *, position: int) -> int:
    """Move a role to *position* and return its new position. Position 1 has the highest precedence, which matters for people with several
    roles.
    """

    def moved(roles: list[RoleRow]) -> list[RoleRow]:
        role = _find(roles, wanted)
        others = [one for one in roles if one is not role]
        place = max(0, position - 1)
        return [*others[:place], role, *others[place:]]

    await _change(context, app, moved)
    roles = await list_roles(context, app)
    return roles.index(_find(roles, wanted)) + 1


@needs(Permission.APPLICATIONS_WRITE, app="app")
async def import_manifest(context: Context, app: str, manifest: Any) -> list[RoleRow]:
    """Replace the whole role list by the `appRoles` of an Entra manifest."""
    roles = from_manifest(manifest)
    await _change(context, app, lambda _: roles)
    return roles


@needs(Permission.APPLICATIONS_READ, app="app")
async def export_manifest(context: Context, app: str) -> dict[str, Any]:
    return {"appRoles": to_manifest(await list_roles(context, app))}


async def _change(context: Context, app: str, change: Callable[[list[RoleRow]], list[RoleRow]]) -> None:
    async with context.changing() as edit:
        found = await find_application(edit.connection, app)
        before = await applications.read_roles(edit.connection, found.id)
        after = change(before)
        if after == before:
            return
        await replace_roles(edit, found, after)
        await audit(
            edit,
            "Update application - app roles",
            found.name,
            before={"appRoles": to_manifest(before)},
            after={"appRoles": to_manifest(after)},
        )


def _find(roles: list[RoleRow], wanted: str) -> RoleRow:
    role = find_role(roles, wanted)
    if role is not None:
        return role
    raise unknown("role", wanted, [role.value for role in roles], otherwise="See: lockstep apps roles list APP")
