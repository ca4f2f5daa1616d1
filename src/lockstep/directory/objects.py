"""Read complete objects for the decisions of one application. A few statements read everything for 500 people or groups.

Purged objects are absent. The members of groups are not read here, because they are compared separately.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from lockstep.engine.decisions.source_record import OF_MANAGER
from lockstep.engine.records import DEFAULT_ACCESS, AppRole, Assignment, Lifecycle, ObjectKind, SourceObject
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, assignments
from lockstep.storage import groups as group_store
from lockstep.storage import people as people_store
from lockstep.storage.groups import GroupRow
from lockstep.storage.people import PersonRow

_GUEST = "#EXT#"


async def read_objects(
    connection: Connection,
    app: str,
    kind: ObjectKind,
    ids: Sequence[str],
    *,
    with_groups: bool = True,
    manager_attributes: Collection[str] = (),
) -> dict[str, SourceObject]:
    """Return the objects *ids*, by id, with all data that decisions for *app* need. Purged objects are left out.

    *with_groups* includes the groups of each person, for mappings that read memberships. *manager_attributes* are attributes of the manager
    to include as `manager.<attribute>`. Each of the two costs one more statement.
    """
    found, _ = await read_objects_and_roles(
        connection, app, kind, ids, with_groups=with_groups, manager_attributes=manager_attributes
    )
    return found


async def read_objects_and_roles(
    connection: Connection,
    app: str,
    kind: ObjectKind,
    ids: Sequence[str],
    *,
    with_groups: bool,
    manager_attributes: Collection[str],
) -> tuple[dict[str, SourceObject], tuple[AppRole, ...]]:
    """Return the same objects as `read_objects`, and all roles of the application in order of precedence."""
    rows, held, groups, all_roles = await asyncio.gather(  # in one round trip, if the caller has begun a pipeline
        _read_rows(connection, kind, ids),
        read_entitlements(connection, app, ids),
        memberships(connection, app, ids if with_groups and kind is ObjectKind.USER else ()),
        read_app_roles(connection, app),
    )
    roles = {role.id: role for role in all_roles if role.is_enabled}
    objects = {
        key: _person(row, held.get(key, ()), roles, groups.get(key, ()))
        if isinstance(row, PersonRow)
        else _group(row, held.get(key, ()))
        for key, row in rows.items()
    }
    if manager_attributes:
        objects = await _with_managers(connection, objects, manager_attributes)
    return objects, all_roles


def as_deleted(obj: SourceObject, at: datetime) -> SourceObject:
    """Return *obj* as it would be if it had been in the recycle bin since *at*. Its version is not changed."""
    return replace(obj, lifecycle=Lifecycle.SOFT_DELETED, deleted_at=at)


async def _read_rows(
    connection: Connection, kind: ObjectKind, ids: Sequence[str]
) -> Mapping[str, PersonRow] | Mapping[str, GroupRow]:
    if kind is ObjectKind.USER:
        return await people_store.read_people(connection, ids)
    return await group_store.read_groups(connection, ids)


async def read_app_roles(connection: Connection, app: str) -> tuple[AppRole, ...]:
    """Return the application's roles in order of precedence."""
    rows = await applications.read_roles(connection, app)
    return tuple(AppRole(row.id, row.value, row.display_name, row.is_enabled) for row in rows)


async def read_entitlements(connection: Connection, app: str, ids: Sequence[str]) -> dict[str, tuple[Assignment, ...]]:
    """Return every assignment of the objects *ids* to *app*, by object, in the order of the application's roles."""
    found: dict[str, list[Assignment]] = {}
    for row in await assignments.entitlements(connection, app, ids):
        found.setdefault(row.object_id, []).append(Assignment(row.role_id, row.via_group, row.via_group_name))
    return {key: tuple(dict.fromkeys(held)) for key, held in found.items()}  # two nested groups may grant the same role


async def read_entitlements_everywhere(connection: Connection, object_id: str) -> dict[str, tuple[Assignment, ...]]:
    """Return every assignment of one object, by application. The assignments to one application are in the order of its roles."""
    found: dict[str, list[Assignment]] = {}
    for row in await assignments.entitlements_everywhere(connection, object_id):
        found.setdefault(row.app, []).append(Assignment(row.role_id, row.via_group, row.via_group_name))
    return {app: tuple(dict.fromkeys(held)) for app, held in found.items()}


async def memberships(connection: Connection, app: str, people: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the ids and display names of each person's groups, including groups reached through nested groups if *app* flattens them."""
    if not people:
        return {}
    found: dict[str, list[str]] = {}
    for person, group, name in await group_store.groups_of_people(connection, app, people):
        found.setdefault(person, []).extend((group, name))
    return {person: tuple(names) for person, names in found.items()}


async def _with_managers(
    connection: Connection, objects: dict[str, SourceObject], names: Collection[str]
) -> dict[str, SourceObject]:
    ids = {one.references["manager"] for one in objects.values() if "manager" in one.references}
    managers = await people_store.read_people(connection, list(ids)) if ids else {}
    shown = {key: dict(_of_manager(row, names)) for key, row in managers.items()}
    return {
        key: replace(one, attributes={**one.attributes, **shown.get(one.references.get("manager", ""), {})})
        for key, one in objects.items()
    }


def user_principal_names(row: PersonRow) -> dict[str, str]:
    """Return `userPrincipalName` and `originalUserPrincipalName` with the values that Entra gives them in expressions and filters.

    For the guest ola_partner.test#EXT#@fjord.onmicrosoft.test, `userPrincipalName` is ola@partner.test, and `originalUserPrincipalName` is
    the full name (Entra, How application provisioning works, B2B users).
    """
    raw = str(row.attributes.get("userPrincipalName") or row.user_principal_name)
    home, mark, _ = raw.partition(_GUEST)
    local, underscore, domain = home.rpartition("_")
    name = f"{local}@{domain}" if mark and underscore and local and domain else raw
    return {
        "userPrincipalName": name,
        "originalUserPrincipalName": str(row.attributes.get("originalUserPrincipalName") or raw),
    }


def _of_manager(row: PersonRow, names: Collection[str]) -> Iterable[tuple[str, Any]]:
    attributes = {
        **row.attributes,
        **user_principal_names(row),
        "objectId": row.id,
        "accountEnabled": row.account_enabled,
    }
    for name in names:
        if (value := attributes.get(name)) is not None:
            yield OF_MANAGER + name, tuple(value) if isinstance(value, list) else value


def _person(
    row: PersonRow, held: tuple[Assignment, ...], roles: dict[str, AppRole], groups: tuple[str, ...]
) -> SourceObject:
    ids = dict.fromkeys(one.role_id for one in held if one.role_id != DEFAULT_ACCESS)
    shown = tuple(
        {"id": role.id, "value": role.value, "displayName": role.display_name}
        for role in (roles.get(one) for one in ids)
        if role
    )
    attributes = {name: tuple(value) if isinstance(value, list) else value for name, value in row.attributes.items()}
    return SourceObject(
        kind=ObjectKind.USER,
        id=row.id,
        display=row.user_principal_name,
        attributes={**attributes, **user_principal_names(row), "objectId": row.id, "appRoleAssignments": shown},
        account_enabled=row.account_enabled,
        lifecycle=Lifecycle.SOFT_DELETED if row.deleted_at else Lifecycle.ACTIVE,
        deleted_at=row.deleted_at,
        version=row.version,
        assignments=held,
        references={"manager": row.manager_id} if row.manager_id else {},
        groups=groups,
    )


def _group(row: GroupRow, held: tuple[Assignment, ...]) -> SourceObject:
    attributes = {name: tuple(value) if isinstance(value, list) else value for name, value in row.attributes.items()}
    return SourceObject(
        kind=ObjectKind.GROUP,
        id=row.id,
        display=row.display_name,
        attributes={**attributes, "objectId": row.id},
        lifecycle=Lifecycle.SOFT_DELETED if row.deleted_at else Lifecycle.ACTIVE,
        deleted_at=row.deleted_at,
        version=row.version,
        assignments=held,
    )
