"""The actions of an administrator: applications, roles, assignments, credentials, people, groups, sources."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockstep.actions import (
    applications,
    assignments,
    credentials,
    groups,
    people,
    roles,
    source_decisions,
    source_keys,
    sources,
)
from lockstep.actions.context import Actor
from lockstep.actions.permissions import Permission
from lockstep.errors import Kind, LockstepError
from lockstep.storage import audit_log
from lockstep.storage.people import PersonFilter
from lockstep.vault import Secret
from tests.support.hub import Hub, guid, person, upn, write_csv

TOKEN = "dk_live_0123456789abcdef"


@pytest.fixture
async def contoso(hub: Hub, tmp_path: Path) -> Hub:
    rows = [person("anna"), person("bo"), person("kim.berg")]
    config = {"files": [{"path": str(write_csv(tmp_path / "people.csv", rows))}]}
    await sources.import_source(hub.context, "hr", config=config)
    await applications.add_application(hub.context, "documo")
    await groups.create_group(hub.context, "all-sales")
    return hub


async def test_application_is_added_as_its_gallery_entry_says(contoso: Hub) -> None:
    view = await applications.show_application(contoso.context, "documo")

    [(tenant,)] = await contoso.fetch("select tenant_id::text from instance")
    assert view.application.job == f"documo.{tenant}.{view.application.id}"
    assert [role.value for role in view.roles] == ["Admin", "Editor", "Member", "Viewer"]
    assert (view.application.status, view.application.started, view.application.syncs_all) == ("off", False, False)
    assert view.credential is not None and view.credential.tenant_url == "https://api.documo.com/scim/v2"
    [(version, dependencies)] = await contoso.fetch("select config_version, dependencies from job")
    assert version == 1
    assert dependencies == {"User": ["accountEnabled", "givenName", "surname", "userPrincipalName"]}


async def test_second_application_of_one_template_needs_another_name(contoso: Hub) -> None:
    with pytest.raises(LockstepError) as refused:
        await applications.add_application(contoso.context, "documo")
    await applications.add_application(contoso.context, "documo", name="documo-2")

    assert (refused.value.kind, "--name documo-2" in refused.value.next_step) == (Kind.CONFLICT, True)
    assert [app.name for app in await applications.list_applications(contoso.context)] == ["documo", "documo-2"]


async def test_removed_application_takes_its_job_assignments_and_credentials_along(contoso: Hub) -> None:
    await assignments.assign(contoso.context, "documo", users=[upn("anna")])

    await applications.remove_application(contoso.context, "documo")

    left = await contoso.fetch(
        "select (select count(*) from job) + (select count(*) from assignment) + (select count(*) from credential)"
    )
    assert left == [(0,)]


UNKNOWN: dict[str, Any] = {
    "a person": (
        lambda hub: assignments.assign(hub.context, "documo", users=["kim.borg@contoso.test"]),
        "kim.berg@contoso.test",
    ),
    "a group": (lambda hub: assignments.assign(hub.context, "documo", groups=["al-sales"]), "all-sales"),
    "an application": (lambda hub: assignments.assign(hub.context, "documa", groups=["all-sales"]), "documo"),
    "a role": (lambda hub: assignments.assign(hub.context, "documo", users=[upn("anna")], role="Boss"), "Admin"),
    "a template": (lambda hub: applications.add_application(hub.context, "dokumo"), "documo"),
    "a source": (lambda hub: sources.import_source(hub.context, "hrx"), "hr"),
    "an attribute": (lambda hub: people.set_person(hub.context, upn("anna"), {"departement": "x"}), "department"),
}


@pytest.mark.parametrize("what", UNKNOWN)
async def test_name_that_there_is_not_is_answered_with_one_that_is_like_it(what: str, contoso: Hub) -> None:
    ask, expected = UNKNOWN[what]

    with pytest.raises(LockstepError) as refused:
        await ask(contoso)

    assert expected in refused.value.detail + refused.value.next_step


async def test_assigning_several_is_all_or_nothing(contoso: Hub) -> None:
    with pytest.raises(LockstepError):
        await assignments.assign(contoso.context, "documo", users=[upn("anna"), upn("nobody")])

    assert await assignments.list_assignments(contoso.context, "documo") == []


async def test_assignment_is_found_by_role_value_name_or_id_and_is_not_made_twice(contoso: Hub) -> None:
    [role, *_] = await roles.list_roles(contoso.context, "documo")

    first = await assignments.assign(contoso.context, "documo", users=[upn("ANNA")], role="admin")
    again = await assignments.assign(contoso.context, "documo", users=[guid("anna")], role=role.id)

    assert ([row.role_name for row in first], again) == (["Admin"], [])


async def test_role_that_is_off_cannot_be_assigned(contoso: Hub) -> None:
    await roles.set_role_enabled(contoso.context, "documo", "Viewer", is_enabled=False)

    with pytest.raises(LockstepError, match="is disabled"):
        await assignments.assign(contoso.context, "documo", users=[upn("anna")], role="Viewer")


async def test_assignment_with_a_role_that_is_off_is_removed_by_that_role(contoso: Hub) -> None:
    await assignments.assign(contoso.context, "documo", users=[upn("anna")], role="Viewer")
    await assignments.assign(contoso.context, "documo", users=[upn("anna")], role="Admin")
    await roles.set_role_enabled(contoso.context, "documo", "Viewer", is_enabled=False)

    gone = await assignments.unassign(contoso.context, "documo", users=[upn("anna")], role="Viewer")

    left = await assignments.list_assignments(contoso.context, "documo")
    assert ([row.role_name for row in gone], [row.role_name for row in left]) == (["Viewer"], ["Admin"])


async def test_role_name_that_two_roles_share_is_refused_with_their_values(contoso: Hub) -> None:
    await roles.import_manifest(contoso.context, "documo", manifest_of_the_case())

    with pytest.raises(LockstepError, match='2 roles are called "Contract Manager"') as refused:
        await assignments.assign(contoso.context, "documo", users=[upn("anna")], role="Contract Manager")
    [row] = await assignments.assign(contoso.context, "documo", users=[upn("anna")], role="cm2")

    assert (refused.value.next_step, row.role_value) == ("Specify one by its value: cm1, cm2", "cm2")


async def test_role_for_applications_is_not_assigned_to_people_or_groups(contoso: Hub) -> None:
    await roles.import_manifest(contoso.context, "documo", manifest_of_the_case())

    with pytest.raises(LockstepError, match="is for applications, not for people or groups"):
        await assignments.assign(contoso.context, "documo", users=[upn("anna")], role="Daemon")


def manifest_of_the_case() -> dict[str, Any]:
    case = orjson.loads((Path(__file__).parents[1] / "cases" / "engine-07-roles-one-name.json").read_bytes())
    return {"appRoles": [{**role, "id": guid(role["value"])} for role in case["manifest"]["appRoles"]]}


async def test_unassigning_takes_one_role_or_all(contoso: Hub) -> None:
    for role in ("Admin", "Member", "Viewer"):
        await assignments.assign(contoso.context, "documo", users=[upn("anna")], role=role)

    one = await assignments.unassign(contoso.context, "documo", users=[upn("anna")], role="Member")
    rest = await assignments.unassign(contoso.context, "documo", users=[upn("anna")])

    assert ([row.role_name for row in one], [row.role_name for row in rest]) == (["Member"], ["Admin", "Viewer"])
    with pytest.raises(LockstepError, match="is not assigned"):
        await assignments.unassign(contoso.context, "documo", users=[upn("anna")])


async def test_manifest_goes_out_and_comes_back_the_same(contoso: Hub) -> None:
    await roles.add_role(contoso.context, "documo", "Auditor", description="Reads", position=1)
    manifest = await roles.export_manifest(contoso.context, "documo")

    await roles.import_manifest(contoso.context, "documo", manifest)

    assert await roles.export_manifest(contoso.context, "documo") == manifest
    assert list(manifest["appRoles"][0]) == [
        "allowedMemberTypes",
        "description",
        "displayName",
        "id",
        "isEnabled",
        "value",
    ]
    assert [role["value"] for role in manifest["appRoles"]] == ["Auditor", "Admin", "Editor", "Member", "Viewer"]


async def test_role_that_somebody_holds_is_not_removed(contoso: Hub) -> None:
    await assignments.assign(contoso.context, "documo", users=[upn("anna")], role="Viewer")

    with pytest.raises(LockstepError, match="used by 1"):
        await roles.remove_role(contoso.context, "documo", "Viewer")


async def test_a_role_that_is_moved_beyond_the_end_is_told_its_real_rank(contoso: Hub) -> None:
    last = len(await roles.list_roles(contoso.context, "documo"))

    assert await roles.move_role(contoso.context, "documo", "Admin", position=99) == last
    assert await roles.move_role(contoso.context, "documo", "Admin", position=1) == 1


async def test_token_is_sealed_and_never_shown(contoso: Hub) -> None:
    view = await credentials.set_credentials(contoso.context, "documo", secret_token=Secret(TOKEN))

    assert view.secret_token == "********cdef"
    [(stored, app)] = await contoso.fetch("select secret, app::text from credential")
    assert isinstance(stored, bytes) and TOKEN.encode() not in stored
    opened = contoso.context.vault.open(stored, purpose="secretToken", name=str(app))
    assert opened.reveal() == TOKEN
    dump = await contoso.fetch("select string_agg(audit_log::text, ' ') from audit_log")
    assert TOKEN not in str(dump)


ORIGINS = {
    "the same": ("https://api.documo.com/scim/v2", True),
    "another path": ("https://api.documo.com/scim/v3?aadOptscim062020", True),
    "the default port": ("https://API.documo.com:443/scim/v2", True),
    "another host": ("https://api.documo.com.evil.test/scim/v2", False),
    "another port": ("https://api.documo.com:8443/scim/v2", False),
    "another scheme": ("http://api.documo.com/scim/v2", False),
}


@pytest.mark.parametrize("case", ORIGINS)
async def test_token_is_cleared_when_the_origin_of_the_tenant_url_changes(case: str, contoso: Hub) -> None:
    url, is_kept = ORIGINS[case]
    await credentials.set_credentials(contoso.context, "documo", secret_token=Secret(TOKEN))

    view = await credentials.set_credentials(contoso.context, "documo", tenant_url=url)

    assert (bool(view.secret_token), view.was_cleared) == (is_kept, not is_kept)
    assert await contoso.fetch("select secret is not null, last_four is not null from credential") == [
        (is_kept, is_kept)
    ]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.documo.com",
        "ftp://x.test",
        "https://",
        "https://user:pw@x.test/scim",
        "https://x.test/a b",
        "https://x.test:99999/",
    ],
)
async def test_tenant_url_that_cannot_be_is_refused(url: str, contoso: Hub) -> None:
    with pytest.raises(LockstepError) as refused:
        await credentials.set_credentials(contoso.context, "documo", tenant_url=url)

    assert "pw" not in refused.value.detail


@pytest.mark.parametrize("token", ["with space", "line\nend", "ümlaut", "x" * 20_000])
async def test_token_that_cannot_be_sent_is_refused_without_being_repeated(token: str, contoso: Hub) -> None:
    with pytest.raises(LockstepError) as refused:
        await credentials.set_credentials(contoso.context, "documo", secret_token=Secret(token))

    assert token not in f"{refused.value.detail}{refused.value.why}{refused.value.next_step}"


async def test_person_can_be_disabled_enabled_deleted_restored_and_found(contoso: Hub) -> None:
    await people.set_enabled(contoso.context, [upn("bo")], is_enabled=False)
    disabled = await people.list_people(contoso.context, PersonFilter(is_enabled=False))
    await people.set_enabled(contoso.context, [upn("bo")], is_enabled=True)
    await people.delete(contoso.context, [upn("bo")])
    deleted = await people.list_people(contoso.context, PersonFilter(is_deleted=True))
    await people.restore(contoso.context, [upn("bo")])

    view = await people.show_person(contoso.context, upn("bo"))

    assert [one.id for one in disabled] == [one.id for one in deleted] == [guid("bo")]
    assert [one.what for one in view.history] == ["restored", "deleted", "updated", "updated", "created"]


async def test_deleted_person_is_answered_with_how_to_restore_them(contoso: Hub) -> None:
    await people.delete(contoso.context, [upn("bo")])

    with pytest.raises(LockstepError) as refused:
        await people.set_enabled(contoso.context, [upn("bo")], is_enabled=False)

    assert (refused.value.kind, refused.value.next_step) == (
        Kind.NOT_FOUND,
        f"Restore: lockstep people restore {upn('bo')}",
    )


async def test_people_are_listed_page_by_page_and_a_search_is_no_pattern(contoso: Hub) -> None:
    first = await people.list_people(contoso.context, PersonFilter(limit=2))
    rest = await people.list_people(contoso.context, PersonFilter(limit=2, after=first[-1].user_principal_name))
    wild = await people.list_people(contoso.context, PersonFilter(search="%"))

    assert [one.user_principal_name for one in [*first, *rest]] == [upn("anna"), upn("bo"), upn("kim.berg")]
    assert wild == []


async def test_pages_of_people_with_the_same_name_neither_repeat_nor_skip_one(contoso: Hub) -> None:
    for _ in range(5):  # in the recycle bin, names may repeat
        await people.delete(contoso.context, [upn("anna")])
        await contoso.fetch(
            """insert into person (id, source, anchor, user_principal_name, attributes)
            select gen_random_uuid(), source, gen_random_uuid()::text, user_principal_name, attributes from person
            where user_principal_name = %s limit 1""",
            upn("anna"),
        )
    whole = [one.id for one in await people.list_people(contoso.context, PersonFilter(is_deleted=None))]

    paged: list[str] = []
    after, after_id = "", ""
    while page := await people.list_people(
        contoso.context, PersonFilter(is_deleted=None, limit=2, after=after, after_id=after_id)
    ):
        paged += [one.id for one in page]
        after, after_id = page[-1].user_principal_name, page[-1].id

    assert (paged, len(paged)) == (whole, len(set(whole)))
    assert len(whole) == 8


async def test_group_cannot_be_a_member_of_itself(contoso: Hub) -> None:
    with pytest.raises(LockstepError, match="member of itself"):
        await groups.change_members(contoso.context, "all-sales", add=["all-sales"], groups_too=True)


async def test_source_with_people_is_removed_only_along_with_them(contoso: Hub) -> None:
    with pytest.raises(LockstepError, match="3 people"):
        await sources.remove_source(contoso.context, "hr")

    removed = await sources.remove_source(contoso.context, "hr", with_objects=True)

    assert removed == 3
    assert await contoso.fetch("select count(*) from person where deleted_at is null") == [(0,)]
    await people.restore(contoso.context, [upn("anna")])


WRITES: dict[str, Any] = {
    "add an application": lambda hub, context: applications.add_application(context, "custom-scim"),
    "remove one": lambda hub, context: applications.remove_application(context, "documo"),
    "add a role": lambda hub, context: roles.add_role(context, "documo", "X"),
    "assign": lambda hub, context: assignments.assign(context, "documo", users=[upn("anna")]),
    "take back": lambda hub, context: assignments.unassign(context, "documo", users=[upn("anna")]),
    "set credentials": lambda hub, context: credentials.set_credentials(context, "documo", tenant_url="https://x.test"),
    "change a person": lambda hub, context: people.set_person(context, upn("anna"), {"city": "x"}),
    "disable": lambda hub, context: people.set_enabled(context, [upn("anna")], is_enabled=False),
    "delete": lambda hub, context: people.delete(context, [upn("anna")]),
    "restore": lambda hub, context: people.restore(context, [upn("anna")]),
    "purge": lambda hub, context: people.purge(context, [upn("anna")]),
    "make a group": lambda hub, context: groups.create_group(context, "x"),
    "change members": lambda hub, context: groups.change_members(context, "all-sales", add=[upn("anna")]),
    "import": lambda hub, context: sources.import_source(context, "hr"),
    "confirm": lambda hub, context: source_decisions.confirm_hold(context, "hr", shown=""),
    "rekey": lambda hub, context: source_keys.rekey_source(context, "hr", "id"),
    "rename": lambda hub, context: source_keys.rename_source(context, "hr", "people"),
    "rehearse": lambda hub, context: sources.rehearse_import(context, "hr"),
    "reject": lambda hub, context: source_decisions.reject_hold(context, "hr"),
    "remove a source": lambda hub, context: sources.remove_source(context, "hr"),
}


@pytest.mark.parametrize("what", WRITES)
async def test_who_may_only_read_changes_nothing(what: str, contoso: Hub) -> None:
    reader = replace(
        contoso.context, actor=Actor("reader", frozenset({Permission.DIRECTORY_READ, Permission.APPLICATIONS_READ}))
    )
    before = await contoso.fetch("select count(*) from audit_log")

    with pytest.raises(LockstepError) as refused:
        await WRITES[what](contoso, reader)

    assert refused.value.kind is Kind.FORBIDDEN
    assert await contoso.fetch("select count(*) from audit_log") == before


async def test_every_change_leaves_an_audit_entry_with_who_and_what(contoso: Hub) -> None:
    await assignments.assign(contoso.context, "documo", users=[upn("anna")], role="Member")
    await people.set_enabled(contoso.context, [upn("bo")], is_enabled=False)

    async with contoso.pool.connection() as connection:
        entries = await audit_log.newest_entries(connection, limit=2)

    assert [(one.actor, one.activity, one.object, one.before, one.after) for one in entries] == [
        ("ada@contoso.test", "Disable account", upn("bo"), {"accountEnabled": True}, {"accountEnabled": False}),
        (
            "ada@contoso.test",
            "Add app role assignment to user",
            upn("anna"),
            None,
            {"application": "documo", "role": "Member"},
        ),
    ]


TAMPERING = {
    "nothing": ("select 1", None),
    "an actor is changed": ("update audit_log set actor = 'somebody else' where seq = 2", 2),
    "a value is changed": ('update audit_log set after = \'{"template": "other"}\' where seq = 2', 2),
    "a time is changed": ("update audit_log set at = at + interval '1 microsecond' where seq = 1", 1),
    "an entry is taken out": ("delete from audit_log where seq = 2", 3),
    "the first entry is taken out": ("delete from audit_log where seq = 1", 2),
    "a hash is made anew": ("update audit_log set actor = 'x', hash = sha256('x') where seq = 2", 2),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_audit_chain_tells_the_first_entry_that_is_not_as_it_was_written(what: str, contoso: Hub) -> None:
    statement, expected = TAMPERING[what]
    await contoso.fetch(statement)

    async with contoso.pool.connection() as connection:
        found = await audit_log.verify(connection)

    assert (found.seq if found else None) == expected


async def test_manager_is_set_by_name_and_taken_away(contoso: Hub) -> None:
    await people.set_person(contoso.context, upn("anna"), {"manager": upn("bo"), "city": "Umeå"})
    with_manager = await people.show_person(contoso.context, upn("anna"))
    await people.set_person(contoso.context, upn("anna"), {"manager": ""})
    without = await people.show_person(contoso.context, upn("anna"))

    assert with_manager.manager is not None and with_manager.manager.id == guid("bo")
    assert (without.manager, [list(one.changed) for one in without.history[:2]]) == (None, [["manager"], ["manager"]])
