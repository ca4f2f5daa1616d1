"""Which objects a change marks dirty, and in which lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lockstep.actions import applications, assignments, groups, people, roles
from lockstep.actions.configuration_apply import apply_configuration
from lockstep.actions.configuration_export import export_application
from lockstep.actions.sources import import_source
from lockstep.configuration.files.file import read_documents
from lockstep.directory.lifecycle import purge_due
from tests.support.hub import Hub, guid, person, upn, write_csv

Do = Callable[[Hub], Awaitable[object]]


@pytest.fixture
async def started(hub: Hub, tmp_path: Path) -> Hub:
    """Documo with a started job. anna is assigned directly, bo and cy by the group team, dan not at all.

    anna and bo have accounts; cy has none yet. team and its edge to cy are known to the job's links of groups.
    """
    rows = [person("anna", manager=upn("dan")), person("bo"), person("cy"), person("dan"), person("eve")]
    config = {"files": [{"path": str(write_csv(tmp_path / "people.csv", rows))}]}
    await import_source(hub.context, "hr", config=config)
    await applications.add_application(hub.context, "documo")
    await groups.create_group(hub.context, "team")
    await groups.create_group(hub.context, "other")
    await groups.change_members(hub.context, "team", add=[upn("bo"), upn("cy")])
    await assignments.assign(hub.context, "documo", users=[upn("anna")], role="Member")
    await assignments.assign(hub.context, "documo", groups=["team"], role="Admin")
    await hub.fetch("update job set started = true")
    await hub.fetch(
        """insert into link (job, kind, source_id, target_id, state)
        select id, 'User', unnest(%s::uuid[]), unnest(%s::text[]), 'live' from job""",
        [guid("anna"), guid("bo")],
        ["t1", "t2"],
    )
    hub.woken.clear()
    return hub


async def dirty(hub: Hub) -> dict[str, int]:
    rows = await hub.fetch(
        """select coalesce(split_part(person.user_principal_name, '@', 1), grp.display_name, dirty.source_id::text), lane
        from dirty left join person on person.id = source_id left join grp on grp.id = source_id"""
    )
    return {str(name): int(str(lane)) for name, lane in rows}


async def _apply_a_file_without_admin(hub: Hub) -> None:
    text = (await export_application(hub.context, "documo")).replace("value: Admin", "value: Admin, enabled: false", 1)
    await apply_configuration(hub.context, read_documents(text, "documo.yaml"))


async def _describe_admin(hub: Hub) -> None:
    manifest = await roles.export_manifest(hub.context, "documo")
    manifest["appRoles"][0]["description"] = "May change everything"
    await roles.import_manifest(hub.context, "documo", manifest)


async def _purge_anna(hub: Hub) -> None:
    await people.delete(hub.context, [upn("anna")])
    await hub.fetch("delete from dirty")
    await hub.fetch("update person set deleted_at = now() - interval '31 days' where deleted_at is not null")
    await purge_due(hub.pool, hub.context.now())


async def _all_and_eve_changes(hub: Hub) -> None:
    await hub.fetch("update job set syncs_all = true")
    await people.set_person(hub.context, upn("eve"), {"givenName": "Evelyn"})


async def _delete_and_restore_team(hub: Hub) -> None:
    await groups.delete_group(hub.context, "team")
    await hub.fetch("delete from dirty")
    await groups.restore_group(hub.context, "team")


CASES: dict[str, tuple[Do, dict[str, int]]] = {
    "a mapped attribute of an assigned person with an account: update": (
        lambda hub: people.set_person(hub.context, upn("anna"), {"givenName": "Anne"}),
        {"anna": 4},
    ),
    "a mapped attribute of an assigned person without an account: create": (
        lambda hub: people.set_person(hub.context, upn("cy"), {"surname": "Young"}),
        {"cy": 3},
    ),
    "an attribute that no rule reads marks nobody": (
        lambda hub: people.set_person(hub.context, upn("anna"), {"city": "Berlin", "department": "IT"}),
        {},
    ),
    "a value that is set to what it was marks nobody": (
        lambda hub: people.set_person(hub.context, upn("anna"), {"givenName": "Anna"}),
        {},
    ),
    "a person the job does not know marks nobody": (
        lambda hub: people.set_person(hub.context, upn("eve"), {"givenName": "Evelyn"}),
        {},
    ),
    "a person the job does not know is marked where everybody is synchronized": (_all_and_eve_changes, {"eve": 3}),
    "disabled with an account: leaver": (
        lambda hub: people.set_enabled(hub.context, [upn("anna")], is_enabled=False),
        {"anna": 1},
    ),
    "disabled without an account": (
        lambda hub: people.set_enabled(hub.context, [upn("cy")], is_enabled=False),
        {"cy": 3},
    ),
    "deleted with an account: leaver": (lambda hub: people.delete(hub.context, [upn("bo")]), {"bo": 1}),
    "purged with an account: leaver": (_purge_anna, {guid("anna"): 1}),
    "unassigned with an account: leaver": (
        lambda hub: assignments.unassign(hub.context, "documo", users=[upn("anna")]),
        {"anna": 1},
    ),
    "a group is unassigned: all its members": (
        lambda hub: assignments.unassign(hub.context, "documo", groups=["team"]),
        {"bo": 1, "cy": 3},
    ),
    "assigned without an account: create": (
        lambda hub: assignments.assign(hub.context, "documo", users=[upn("dan")]),
        {"dan": 3},
    ),
    "a second role for a person with an account: update": (
        lambda hub: assignments.assign(hub.context, "documo", users=[upn("anna")], role="Admin"),
        {"anna": 4},
    ),
    "the same assignment again marks nobody": (
        lambda hub: assignments.assign(hub.context, "documo", users=[upn("anna")], role="Member"),
        {},
    ),
    "taken out of an assigned group": (
        lambda hub: groups.change_members(hub.context, "team", remove=[upn("bo"), upn("cy")]),
        {"bo": 1, "cy": 3},
    ),
    "put into an assigned group": (
        lambda hub: groups.change_members(hub.context, "team", add=[upn("dan"), upn("anna")]),
        {"dan": 3, "anna": 4},
    ),
    "put into a group that is not assigned marks nobody": (
        lambda hub: groups.change_members(hub.context, "other", add=[upn("dan")]),
        {},
    ),
    "an assigned group is deleted: its members lose what it gave": (
        lambda hub: groups.delete_group(hub.context, "team"),
        {"bo": 1, "cy": 3},
    ),
    "an assigned group is restored: its members get it back": (_delete_and_restore_team, {"bo": 4, "cy": 3}),
    "a role is switched off: its holders": (
        lambda hub: roles.set_role_enabled(hub.context, "documo", "Admin", is_enabled=False),
        {"bo": 4, "cy": 3},
    ),
    "a file switches a role off: its holders alone": (_apply_a_file_without_admin, {"bo": 4, "cy": 3}),
    "a manifest that changes only a description": (_describe_admin, {}),
    "a role moves to the front: everybody whose role changed its rank": (
        lambda hub: roles.move_role(hub.context, "documo", "Member", position=1),
        {"anna": 4, "bo": 4, "cy": 3},
    ),
    "a role that nobody holds is added at the end": (
        lambda hub: roles.add_role(hub.context, "documo", "Auditor"),
        {},
    ),
}


@pytest.mark.parametrize("rule", CASES)
async def test_who_is_dirty_after(rule: str, started: Hub) -> None:
    change, expected = CASES[rule]

    await change(started)

    assert await dirty(started) == expected


async def test_job_that_was_never_started_gets_no_marks(started: Hub) -> None:
    await started.fetch("update job set started = false")

    await people.set_enabled(started.context, [upn("anna")], is_enabled=False)

    assert await dirty(started) == {}


async def test_touched_jobs_are_woken_after_the_commit_and_only_they(started: Hub) -> None:
    [(job,)] = await started.fetch("select id from job")

    await people.set_person(started.context, upn("anna"), {"city": "Berlin"})
    await people.set_person(started.context, upn("anna"), {"surname": "Berlin"})

    assert started.woken == [frozenset({job})]


async def test_several_changes_of_one_person_stay_one_row_in_the_most_urgent_lane(started: Hub) -> None:
    await people.set_enabled(started.context, [upn("anna")], is_enabled=False)
    await people.set_person(started.context, upn("anna"), {"surname": "Later"})

    [(lane, reasons)] = await started.fetch("select lane, reasons from dirty")

    assert (lane, sorted(reasons)) == (1, ["changed", "disabled"])  # type: ignore[call-overload]


async def test_failed_person_who_waits_is_due_at_once_when_they_change(started: Hub) -> None:
    await people.set_person(started.context, upn("anna"), {"surname": "First"})
    await started.fetch("update dirty set not_before = now() + interval '6 hours', failures = 1")

    await people.set_person(started.context, upn("anna"), {"surname": "Second"})

    assert await started.fetch("select not_before <= now() from dirty") == [(True,)]


async def test_members_of_a_group_with_an_account_are_noted_one_by_one(started: Hub) -> None:
    await started.fetch(
        """insert into link (job, kind, source_id, target_id, state)
        select job.id, 'Group', grp.id, 'g1', 'live' from job, grp where display_name = 'other'"""
    )

    await groups.change_members(started.context, "other", add=[upn("dan")])

    assert await started.fetch("select member_id::text from dirty_member") == [(guid("dan"),)]
    assert await dirty(started) == {"other": 5}
