"""Applications and their roles. If a person has several roles, the first one in the application's order takes precedence."""

# ruff: noqa: S101  # an asserted row always exists
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows


@dataclass(frozen=True, slots=True)
class ApplicationRow:
    """One application with its job."""

    id: str
    name: str
    display_name: str
    template: str
    created_at: datetime
    job: str
    status: str
    started: bool
    syncs_all: bool


@dataclass(frozen=True, slots=True)
class RoleRow:
    """One role of the application's manifest."""

    id: str
    value: str
    display_name: str
    description: str = ""
    is_enabled: bool = True
    allowed_member_types: tuple[str, ...] = ("User",)


_SELECT = """select application.id::text, application.name, application.display_name, application.template,
    application.created_at, job.id as job, job.status, job.started, job.syncs_all
from application join job on job.app = application.id """


async def list_applications(connection: Connection) -> list[ApplicationRow]:
    async with connection.cursor(row_factory=class_row(ApplicationRow)) as cursor:
        await cursor.execute(_SELECT + "order by application.name")
        return await cursor.fetchall()


async def find_application(connection: Connection, name: str) -> ApplicationRow | None:
    """Find the application whose name or id is *name*."""
    async with connection.cursor(row_factory=class_row(ApplicationRow)) as cursor:
        await cursor.execute(
            _SELECT + "where application.name = lower(%(name)s) or application.id::text = lower(%(name)s)",
            {"name": name},
        )
        return await cursor.fetchone()


async def insert_application(
    connection: Connection, *, name: str, display_name: str, template: str, job_template: str, tenant: str
) -> ApplicationRow:
    """Add an application with its job, which is switched off. The id of the job is `<template>.<tenant>.<application>`."""
    cursor = await connection.execute(
        "insert into application (name, display_name, template) values (%s, %s, %s) returning id::text",
        (name, display_name, template),
    )
    row = await cursor.fetchone()
    assert row is not None, "an insert returns its row"
    await connection.execute("insert into job (id, app) values (%s, %s)", (f"{job_template}.{tenant}.{row[0]}", row[0]))
    found = await find_application(connection, row[0])
    assert found is not None, "it was inserted just now"
    return found


async def delete_application(connection: Connection, app: str) -> None:
    """Remove an application with its job, links, roles, assignments and credentials. The accounts in the application are left unchanged."""
    await connection.execute("delete from application where id = %s", (app,))


_ROLES = "select id::text, value, display_name, description, is_enabled, allowed_member_types, app::text from app_role "


async def read_roles(connection: Connection, app: str) -> list[RoleRow]:
    """Return the application's roles in order of precedence."""
    cursor = await connection.execute(_ROLES + "where app = %s order by position, id", (app,))
    return [_role(row) for row in await cursor.fetchall()]


async def read_all_roles(connection: Connection) -> dict[str, list[RoleRow]]:
    """Return the roles of all applications that have any, by application."""
    cursor = await connection.execute(_ROLES + "order by position, id")
    found: dict[str, list[RoleRow]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row[-1], []).append(_role(row))
    return found


def _role(row: Sequence[Any]) -> RoleRow:
    return replace(RoleRow(*row[:-1]), allowed_member_types=tuple(row[-2]))


async def write_roles(connection: Connection, app: str, roles: Sequence[RoleRow]) -> None:
    """Replace all roles of the application by *roles*, in this order."""
    await connection.execute("delete from app_role where app = %s", (app,))
    rows = [
        {
            "id": role.id,
            "position": position,
            "value": role.value,
            "display_name": role.display_name,
            "description": role.description,
            "is_enabled": role.is_enabled,
            "types": list(role.allowed_member_types),
        }
        for position, role in enumerate(roles)
    ]
    await connection.execute(
        """insert into app_role (app, id, position, value, display_name, description, is_enabled, allowed_member_types)
        select %(app)s, id, position, value, display_name, description, is_enabled, types
        from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, position integer, value text, display_name text,
            description text, is_enabled boolean, types text[])""",
        {"app": app, "rows": as_rows(rows)},
    )


async def count_holders(connection: Connection, app: str, role: str) -> int:
    """Count the assignments that grant *role*."""
    cursor = await connection.execute("select count(*) from assignment where app = %s and role_id = %s", (app, role))
    row = await cursor.fetchone()
    return int(row[0]) if row else 0
