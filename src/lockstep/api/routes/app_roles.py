"""App roles of an application, one by one and as a manifest."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request
from pydantic import Field

from lockstep.actions import roles
from lockstep.actions.context import Context
from lockstep.actions.rows.applications import PlacedRoleJson, RoleJson, placed_roles_json, role_json
from lockstep.api.changes import Consenting, Effects, changed
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.paging import Asking, Page, page_of_rows
from lockstep.api.shapes import AppName, Body, Name, Text

router = router_of("Applications")


class NewRole(Body):
    value: Name = Field(examples=["auditor"])
    display_name: Text = Field("", examples=["Auditor"])
    description: Text = ""
    position: Annotated[int, Field(ge=1, le=10_000)] | None = None


class RoleChange(Body):
    is_enabled: bool | None = Field(None, examples=[False])
    position: Annotated[int, Field(ge=1, le=10_000)] | None = None


class Manifest(Body):
    app_roles: list[dict[str, Any]] = Field(max_length=1000)


@router.get("/applications/{app}/roles")
async def list_roles(context: Asked, request: Request, query: Asking, app: AppName) -> Page[PlacedRoleJson]:
    """List the app roles. Position 1 has the highest precedence. The ETag identifies the whole list."""
    rows = await _roles(context, app)
    return tagged(request, page_of_rows(query, rows, key="position"), state=rows)


@router.post("/applications/{app}/roles", status_code=201)
async def add_role(context: Asked, app: AppName, body: NewRole) -> RoleJson:
    role = await roles.add_role(
        context, app, body.value, display_name=body.display_name, description=body.description, position=body.position
    )
    return role_json(role)


@router.patch("/applications/{app}/roles/{role}")
async def change_role(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, role: str, body: RoleChange
) -> Effects[list[PlacedRoleJson]]:
    """Enable, disable or move a role. The result is the whole list."""

    async def work(inner: Context) -> list[PlacedRoleJson]:
        async with inner.together() as one:
            if body.is_enabled is not None:
                await roles.set_role_enabled(one, app, role, is_enabled=body.is_enabled)
            if body.position is not None:
                await roles.move_role(one, app, role, position=body.position)
            return await _roles(one, app)

    return await changed(context, consent, unchanged.matched(lambda inner: _roles(inner, app), work))


@router.delete("/applications/{app}/roles/{role}")
async def remove_role(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, role: str
) -> Effects[None]:
    """Remove a role that is not assigned to anyone."""

    async def work(inner: Context) -> None:
        await roles.remove_role(inner, app, role)

    return await changed(context, consent, unchanged.matched(lambda inner: _roles(inner, app), work))


@router.get("/applications/{app}/manifest")
async def show_manifest(context: Asked, request: Request, app: AppName) -> dict[str, Any]:
    """Show the app roles in the form of an Entra manifest."""
    return tagged(request, await roles.export_manifest(context, app))


@router.put("/applications/{app}/manifest")
async def set_manifest(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, body: Manifest
) -> Effects[list[RoleJson]]:
    """Replace the app roles with those of a manifest. Requires If-Match."""

    async def work(inner: Context) -> list[RoleJson]:
        return [role_json(role) for role in await roles.import_manifest(inner, app, {"appRoles": body.app_roles})]

    async def read(inner: Context) -> dict[str, Any]:
        return await roles.export_manifest(inner, app)

    return await changed(context, consent, unchanged.matched(read, work, is_needed=True))


async def _roles(context: Context, app: str) -> list[PlacedRoleJson]:
    return placed_roles_json(await roles.list_roles(context, app))
