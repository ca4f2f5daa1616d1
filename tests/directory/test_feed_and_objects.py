"""Complete objects for decisions, and how an object is purged."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg

from lockstep.actions import applications, assignments, groups, people, roles, sources
from lockstep.directory.lifecycle import purge_due
from lockstep.directory.objects import read_objects
from lockstep.engine.records import Lifecycle, ObjectKind
from tests.support.hub import Hub, guid, person, upn, write_csv


async def fill(hub: Hub, tmp_path: Path, *rows: dict[str, str]) -> None:
    config = {"files": [{"path": str(write_csv(tmp_path / "people.csv", rows))}]}
    await sources.import_source(hub.context, "hr", config=config)


async def test_object_is_read_whole_with_roles_in_the_order_of_the_role_list(hub: Hub, tmp_path: Path) -> None:
    await fill(hub, tmp_path, person("anna", manager=upn("bo")), person("bo"))
    app = await applications.add_application(hub.context, "documo")
    await groups.create_group(hub.context, "team")
    await groups.change_members(hub.context, "team", add=[upn("anna")])
    await assignments.assign(hub.context, "documo", users=[upn("anna")])
    await assignments.assign(hub.context, "documo", users=[upn("anna")], role="Viewer")
    await assignments.assign(hub.context, "documo", users=[upn("anna")], role="Editor")
    await assignments.assign(hub.context, "documo", groups=["team"], role="Admin")
    await roles.set_role_enabled(hub.context, "documo", "Editor", is_enabled=False)

    async with hub.pool.connection() as connection:
        found = await read_objects(connection, app.id, ObjectKind.USER, [guid("anna"), guid("nobody")])

    anna = found[guid("anna")]
    assert list(found) == [guid("anna")]
    assert [role["value"] for role in anna.attributes["appRoleAssignments"]] == ["Admin", "Viewer"]
    assert [one.via_group_name for one in anna.assignments] == ["team", "", "", ""]
    assert anna.assignments[-1].role_id == "00000000-0000-0000-0000-000000000000"
    assert anna.references == {"manager": guid("bo")}
    assert (anna.display, anna.lifecycle, anna.attributes["givenName"]) == (upn("anna"), Lifecycle.ACTIVE, "Anna")


async def test_deleted_person_is_read_as_soft_deleted_and_a_purged_one_not_at_all(hub: Hub, tmp_path: Path) -> None:
    await fill(hub, tmp_path, person("anna"), person("bo"))
    app = await applications.add_application(hub.context, "documo")
    await people.delete(hub.context, [upn("anna"), upn("bo")])
    await people.purge(hub.context, [upn("bo")])

    async with hub.pool.connection() as connection:
        found = await read_objects(connection, app.id, ObjectKind.USER, [guid("anna"), guid("bo")])

    assert {key: one.lifecycle for key, one in found.items()} == {guid("anna"): Lifecycle.SOFT_DELETED}


async def test_purge_waits_its_days_and_then_takes_memberships_and_assignments_along(hub: Hub, tmp_path: Path) -> None:
    await fill(hub, tmp_path, person("anna"), person("bo", manager=upn("anna")))
    await applications.add_application(hub.context, "documo")
    await groups.create_group(hub.context, "team")
    await groups.change_members(hub.context, "team", add=[upn("anna")])
    await assignments.assign(hub.context, "documo", users=[upn("anna")])
    await people.delete(hub.context, [upn("anna")])
    now = hub.context.now()

    too_early, _ = await purge_due(hub.pool, now + timedelta(days=29))
    in_time, _ = await purge_due(hub.pool, now + timedelta(days=31))

    assert (too_early, in_time) == (0, 1)
    assert await hub.fetch("select (select count(*) from member), (select count(*) from assignment)") == [(0, 0)]
    assert await hub.fetch("select manager_id from person where id = %s", guid("bo")) == [(None,)]
    assert ("purged",) in await hub.fetch("select what from change where object_id = %s", guid("anna"))


async def test_restore_is_refused_while_somebody_else_has_the_name(hub: Hub, tmp_path: Path) -> None:
    await fill(hub, tmp_path, person("anna"), person("bo"))
    await people.delete(hub.context, [upn("anna")])
    await people.set_person(hub.context, upn("bo"), {"userPrincipalName": upn("anna")})

    try:
        await people.restore(hub.context, [upn("anna")])
        refused = ""
    except Exception as error:
        refused = str(error)

    assert "is not deleted" in refused or "belongs to another person" in refused
    assert await hub.fetch("select count(*) from person where deleted_at is null") == [(1,)]


async def test_two_live_people_cannot_have_one_name_in_any_case(hub: Hub, tmp_path: Path) -> None:
    await fill(hub, tmp_path, person("anna"), person("bo"))

    try:
        await hub.fetch("update person set user_principal_name = %s where id = %s", upn("ANNA"), guid("bo"))
        refused = False
    except psycopg.errors.UniqueViolation:
        refused = True

    assert refused
