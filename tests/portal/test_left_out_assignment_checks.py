"""Every condition that decides which applications a person sees in My Apps, and may open, is covered: at least one case ends differently
without it.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from lockstep.actions import assignments as assigning
from lockstep.actions import groups, people, roles
from lockstep.actions.person_sign_in import my_apps
from lockstep.actions.single_sign_on import issuing
from lockstep.actions.single_sign_on import settings as sign_on
from lockstep.directory import objects
from lockstep.storage import applications, assignments, migrations
from lockstep.storage import groups as group_store
from tests.portal.assigned_world import APPS, ORIGIN, World, assigned_world
from tests.support.hub import Hub, upn
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.left_out_conditions import constant_checks_of, ending_of, sql_checks_of

pytestmark = pytest.mark.full

Case = Callable[[World], Awaitable[object]]
NESTED_GROUPS = Path(migrations.__path__[0]) / "versions" / "0003_nested_groups.sql"
VIEW = "create or replace view effective_assignment as"
ASSIGNMENTS = VIEW + NESTED_GROUPS.read_text().partition(VIEW)[2].partition(";")[0]
THE_VIEW = ASSIGNMENTS


async def seen(world: World, name: str = "anna") -> object:
    """What the person sees, and what opens."""
    return await world.tiles(name), await world.opened(name)


async def seen_after(world: World, change: Case, name: str = "anna") -> object:
    await change(world)
    return await world.tiles(name), await held(world, name)


async def seen_without_a_session(world: World) -> object:
    return await my_apps.my_apps(world.context, "")


async def claimed(world: World, app: str, name: str) -> object:
    claims = await issuing.claims_for(world.context, await id_of(world, app), await world.id_of(name))
    return claims.is_assigned, claims.role, claims.groups


async def id_of(world: World, app: str) -> str:
    return (await issuing.facts_of(world.context, app, origin=ORIGIN)).app


async def held(world: World, name: str) -> object:
    """The assignments of the person to each application, in the order of their roles."""
    person, ids = await world.id_of(name), {await id_of(world, app): app for app in APPS}
    async with world.context.reading() as connection:
        everywhere = await objects.read_entitlements_everywhere(connection, person)
        each = {name: await objects.read_entitlements(connection, app, [person]) for app, name in ids.items()}
    return {ids[app]: ways for app, ways in everywhere.items()}, each


async def with_the_roles_of_another(world: World) -> object:
    """Another application has the same roles in the opposite order, as after an import of a manifest."""
    await roles.add_role(world.context, "files", "Admin", position=1)
    await roles.add_role(world.context, "files", "Writer")
    await assigning.assign(world.context, "files", users=[upn("anna")], role="Writer")
    manifest = await roles.export_manifest(world.context, "files")
    await roles.import_manifest(world.context, "plain", {"appRoles": manifest["appRoles"][::-1]})
    names = {one.id: one.value for one in await roles.list_roles(world.context, "files")}
    person, app = await world.id_of("anna"), await id_of(world, "files")
    async with world.context.reading() as connection:
        everywhere = (await objects.read_entitlements_everywhere(connection, person))[app]
        here = (await objects.read_entitlements(connection, app, [person]))[person]
    return [[names[one.role_id] for one in ways] for ways in (everywhere, here)]


async def held_by_a_group(world: World) -> object:
    """Groups in an assigned group are not assigned themselves."""
    found = []
    async with world.context.reading() as connection:
        for name in ("Chiefs", "Lower"):
            [group] = await group_store.find_groups(connection, name)
            found.append(await objects.read_entitlements_everywhere(connection, group.id))
            for app in ("deep", "flat"):
                found.append(await objects.read_entitlements(connection, await id_of(world, app), [group.id]))
    return found


async def without_the_role(world: World) -> object:
    await roles.set_role_enabled(world.context, "files", "Reader", is_enabled=False)
    return await claimed(world, "files", "anna")


async def both_in_writers(world: World) -> object:
    return await groups.change_members(world.context, "Writers", add=[upn("ben")])


async def with_a_second_way(world: World) -> object:
    """Anna has another role through a group, and the default access directly."""
    await assigning.assign(world.context, "wiki", users=[upn("anna")], role=None)
    await assigning.assign(world.context, "files", groups=["Writers"], role=None)
    return await held(world, "anna")


CASES: dict[str, Case] = {
    **{f"seen by {name}": partial(seen, name=name) for name in ("anna", "ben", "carla")},
    "seen without a session": seen_without_a_session,
    "unassigned": lambda w: seen_after(w, lambda w: assigning.unassign(w.context, "files", users=[upn("anna")])),
    "left the group": lambda w: seen_after(w, lambda w: groups.change_members(w.context, "Writers", remove=[upn("anna")])),
    "group is restored": lambda w: seen_after(w, lambda w: groups.restore_group(w.context, "Old"), "carla"),
    "group is deleted": lambda w: seen_after(w, lambda w: groups.delete_group(w.context, "Writers")),
    "nested group is deleted": lambda w: seen_after(w, lambda w: groups.delete_group(w.context, "Staff"), "ben"),
    "joined the group": lambda w: seen_after(w, both_in_writers, "ben"),
    "assignment required": lambda w: seen_after(
        w, lambda w: sign_on.change_sign_on(w.context, "everybody", {"assignmentRequired": True})
    ),
    **{f"{app} for {name}": partial(claimed, app=app, name=name)
       for app in ("files", "wiki", "deep", "flat", "former", "formerly-deep") for name in ("anna", "ben", "carla")},
    **{f"held by {name}": partial(held, name=name) for name in ("anna", "ben", "carla")},
    "held by a group": held_by_a_group,
    "roles": lambda w: _roles(w),
    "roles of another": with_the_roles_of_another,
    "role disabled": without_the_role,
    "two ways": with_a_second_way,
    "disabled": lambda w: claimed_after(w, lambda w: people.set_enabled(w.context, [upn("anna")], is_enabled=False)),
}  # fmt: skip


async def _roles(world: World) -> object:
    return [one.value for one in await roles.list_roles(world.context, "files")]


async def claimed_after(world: World, change: Case) -> object:
    await change(world)
    return await claimed(world, "files", "anna")


CHECKS = [
    *checks_of(my_apps, parts=True),
    *checks_of(objects, "read_entitlements", "read_entitlements_everywhere", "read_objects_and_roles", parts=True),
    *sql_checks_of(assignments, "entitlements", "entitlements_everywhere"),
    *sql_checks_of(applications, "find_application", "list_applications", "read_roles"),
    *constant_checks_of(sys.modules[__name__], "ASSIGNMENTS", assignments.entitlements),  # type: ignore[arg-type]
    *constant_checks_of(sys.modules[__name__], "ASSIGNMENTS", assignments.entitlements_everywhere),  # type: ignore[arg-type]
]
IMPLIED = [
    # `source_record` leaves out disabled roles for all expressions and claims.
    ("directory.objects.read_objects_and_roles", "role.is_enabled"),
    # A principal that has members is a group.
    *(
        (f"storage.assignments.{one}", "assignment.principal_kind = 'Group'")
        for one in ("entitlements", "entitlements_everywhere")
    ),
]


async def outcome(case: Case, world: World) -> str:
    """How *case* ends. Its changes are rolled back."""
    async with world.rolled_back() as here:
        if ASSIGNMENTS is not THE_VIEW:
            async with here.context.recording() as connection:
                await connection.execute(ASSIGNMENTS.encode())
        return await ending_of(case(here))


async def test_no_condition_of_what_a_person_may_open_can_be_left_out(directory: Hub) -> None:
    world = await assigned_world(directory)
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 20
    assert await unheld_checks(bound, CHECKS, IMPLIED) == ""
