"""A person in each application: how they are assigned, with which role, and the state of their account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lockstep.directory.objects import read_app_roles, read_objects
from lockstep.engine.records import DEFAULT_ACCESS, AppRole, Link, LinkState, ObjectKind, SourceObject
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, links
from lockstep.storage.held_operations import held_operations

_STATES = {
    LinkState.LIVE: "account active",
    LinkState.DISABLED: "account disabled",
    LinkState.RELEASED: "account no longer managed",
    LinkState.LOST: "account no longer exists in the application",
    LinkState.TOMBSTONE: "account deleted",
}


@dataclass(frozen=True, slots=True)
class AppStanding:
    """One application. *ways*: each assignment with its role, the one that counts first. *account*: its state as text."""

    app: str
    ways: tuple[str, ...]
    in_everybodys_scope: bool
    account: str
    account_id: str
    is_held: bool


async def standings(connection: Connection, person: str, is_visible: Callable[[str], bool]) -> list[AppStanding]:
    """Every visible application that *person* (an id) is assigned to, has an account in, or is provisioned to because the scope is all."""
    found = []
    for app in filter(lambda one: is_visible(one.id), await applications.list_applications(connection)):
        roles = {role.id: role for role in await read_app_roles(connection, app.id)}
        obj = (await read_objects(connection, app.id, ObjectKind.USER, [person], with_groups=False)).get(person)
        link = (await links.read_links(connection, app.job, ObjectKind.USER, [person])).get(person)
        ways = ways_in(obj, roles) if obj is not None else []
        if ways or link is not None or app.syncs_all:
            is_held = bool(await held_operations(connection, app.job, source_id=person))
            account_id = link.target_id if link is not None else ""
            found.append(
                AppStanding(app.name, tuple(ways), app.syncs_all, _account(link, is_held), account_id, is_held)
            )
    return found


def ways_in(obj: SourceObject, roles: Mapping[str, AppRole]) -> list[str]:
    """How *obj* is assigned, with the role, the one that counts first: `through the group Sales (Member)`."""
    found = []
    for one in obj.assignments:
        role = roles.get(one.role_id)
        name = "default access" if one.role_id == DEFAULT_ACCESS else role.display_name if role else one.role_id
        way = f"through the group {one.via_group_name or one.via_group}" if one.via_group else "directly"
        found.append(f"{way} ({name})")
    return list(dict.fromkeys(found))


def _account(link: Link | None, is_held: bool) -> str:
    state = _STATES[link.state] if link is not None else "no account"
    return f"{state}; a change waits for approval" if is_held else state
