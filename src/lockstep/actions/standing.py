"""The access of a person to each application: the assignments with their roles, and the state of the account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lockstep.directory.objects import read_entitlements_everywhere
from lockstep.engine.records import DEFAULT_ACCESS, AppRole, Assignment, Link, LinkState, ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, links
from lockstep.storage.applications import RoleRow
from lockstep.storage.held_operations import jobs_that_hold

_SOUGHT = "account not found, being looked for"
_STATES = {
    LinkState.LIVE: "account active",
    LinkState.DISABLED: "account disabled",
    LinkState.RELEASED: "account no longer managed",
    LinkState.LOST: "account no longer exists in the application",
    LinkState.TOMBSTONE: "account deleted",
}


@dataclass(frozen=True, slots=True)
class AppStanding:
    """The access of one person to one application. *ways* describes each assignment with its role; the assignment that decides the role
    comes first. *account* describes the state of the account.
    """

    app: str
    ways: tuple[str, ...]
    in_everybodys_scope: bool
    account: str
    account_id: str
    is_held: bool


async def standings(connection: Connection, person: str, is_visible: Callable[[str], bool]) -> list[AppStanding]:
    """Return the access of the person with the id *person* to each visible application that matters for the person. An application matters
    if it is assigned to the person, contains an account of the person, or has everyone in scope.
    """
    apps = [one for one in await applications.list_applications(connection) if is_visible(one.id)]
    assigned = await read_entitlements_everywhere(connection, person)
    roles = await applications.read_all_roles(connection)
    jobs = [one.job for one in apps]
    linked = await links.links_in_jobs(connection, jobs, ObjectKind.USER, person)
    held = await jobs_that_hold(connection, jobs, ObjectKind.USER, person)
    found = []
    for app in apps:
        link = linked.get(app.job)
        ways = ways_in(assigned.get(app.id, ()), {role.id: role for role in roles.get(app.id, ())})
        if ways or link is not None or app.syncs_all:
            is_held, account_id = app.job in held, link.target_id if link is not None else ""
            found.append(
                AppStanding(app.name, tuple(ways), app.syncs_all, _account(link, is_held), account_id, is_held)
            )
    return found


def ways_in(assigned: Sequence[Assignment], roles: Mapping[str, AppRole | RoleRow]) -> list[str]:
    """Describe each assignment of an object, such as `through the group Sales (Member)`. The assignment that decides the role
    comes first; assignments with a disabled role come last.
    """
    disabled = {role.id for role in roles.values() if not role.is_enabled}
    found = []
    for one in sorted(assigned, key=lambda one: one.role_id in disabled):
        role = roles.get(one.role_id)
        name = "default access" if one.role_id == DEFAULT_ACCESS else role.display_name if role else one.role_id
        way = f"through the group {one.via_group_name or one.via_group}" if one.via_group else "directly"
        found.append(f"{way} ({name}{', disabled' if one.role_id in disabled else ''})")
    return list(dict.fromkeys(found))


def _account(link: Link | None, is_held: bool) -> str:
    state = "no account" if link is None else _SOUGHT if link.is_sought else _STATES[link.state]
    return f"{state}; a change waits for approval" if is_held else state
