"""Configuration files, planned and applied on a real database."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockstep.actions import people
from lockstep.actions.applications import add_application, list_applications, show_application
from lockstep.actions.assignments import assign, list_assignments
from lockstep.actions.configuration import plan_configuration
from lockstep.actions.configuration_apply import apply_configuration
from lockstep.actions.configuration_export import export_application, export_entra_schema
from lockstep.actions.context import Actor, Context
from lockstep.actions.credentials import set_credentials
from lockstep.actions.groups import create_group
from lockstep.actions.mappings import read_mappings
from lockstep.actions.permissions import Permission
from lockstep.actions.roles import list_roles
from lockstep.actions.settings import change_settings, set_mapping, set_scope, show_settings
from lockstep.actions.sources import import_source, list_sources, save_source, show_source
from lockstep.configuration.files.file import ConfigDocument, read_documents
from lockstep.errors import Kind, LockstepError
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret
from tests.support.hub import Hub, person, upn, write_csv

TOKEN = "dk_live_4f2a99001122"
HEAD = "apiVersion: lockstep/v1\nkind: Application\nmetadata: {name: documo}\nspec:\n  template: documo\n"
WHOLE = (
    HEAD
    + """\
  credentials: {tenantUrl: https://api.documo.test/scim/v2, secretTokenRef: env:DOCUMO_SCIM_TOKEN}
  roles:
    - {value: admin, displayName: Admin}
    - {value: member, displayName: Member, default: true}
  assignments:
    - {group: all-sales, role: member}
    - {user: KIM@contoso.test, role: Admin}
  provisioning:
    scope: assigned
    notificationEmail: idm@contoso.test
    mappings:
      - name: Users
        source: User
        scopingFilters:
          - {title: Sales only, all: [{attribute: department, operator: EQUALS, value: Sales}]}
        attributes:
          - {target: userName, source: userPrincipalName, match: 1}
          - {target: active, expression: 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'}
"""
)


def read(text: str, file: str = "a.yaml") -> tuple[ConfigDocument, ...]:
    return read_documents(text, file)


def resolve(reference: str) -> Secret | None:
    return Secret(TOKEN) if reference == "env:DOCUMO_SCIM_TOKEN" else None


async def lines(context: Context, text: str, *, prune: bool = False) -> list[str]:
    plan = await plan_configuration(context, read(text), prune=prune, resolve=resolve)
    return [change.line for change in plan.changes]


@pytest.fixture
async def context(hub: Hub, tmp_path: Path) -> AsyncIterator[Context]:
    """A directory with Kim and Lee in it, and a group."""
    targets = ScimTargets(())
    made = replace(hub.context, opener=targets)
    file = write_csv(tmp_path / "people.csv", [person("kim"), person("lee")])
    config = {"files": [{"path": str(file), "kind": "people"}]}
    await save_source(made, "hr", kind="csv", config=config, replaces=True)
    await import_source(made, "hr")
    await create_group(made, "all-sales")
    yield made
    await targets.close()


async def test_planning_changes_nothing(context: Context) -> None:
    plan = await plan_configuration(context, read(WHOLE), resolve=resolve)

    assert plan.changes[0].line == '+ Application documo: template: "documo"'
    with pytest.raises(LockstepError, match="Unknown application"):
        await show_application(context, "documo")


async def test_a_new_application_is_what_its_file_says(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)

    view = await show_application(context, "documo")
    assert [role.value for role in view.roles] == ["admin", "member"]
    assert view.credential is not None and view.credential.has_secret
    assert [(row.principal, row.role_value) for row in await list_assignments(context, "documo")] == [
        ("all-sales", "member"),
        (upn("kim"), "admin"),
    ]
    (mapping,) = await read_mappings(context, "documo")
    assert [one["target"] for one in mapping["attributes"]] == ["userName", "active"]
    assert (await show_settings(context, "documo")).notification_email == "idm@contoso.test"


async def test_applying_twice_changes_nothing(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)

    assert await lines(context, WHOLE, prune=True) == []


async def test_an_exported_application_plans_to_no_changes(context: Context) -> None:
    await add_application(context, "documo")
    await add_application(context, "custom-scim")
    await set_credentials(context, "documo", secret_token=Secret(TOKEN))
    await assign(context, "documo", users=[upn("kim")], role="Editor")
    await assign(context, "documo", groups=["all-sales"])
    await change_settings(context, "documo", scope="all", notification_email="a@b.test", email_on_failure=True)
    await set_mapping(context, "documo", "name.givenName", {"constant": "on", "default": "007"})
    await set_scope(
        context,
        "documo",
        [{"title": "no", "all": [{"memberOf": "all-sales"}, {"not": {"expression": "IsPresent([mail])"}}]}],
    )

    for app in ("documo", "custom-scim"):
        text = await export_application(context, app)

        assert await lines(context, text, prune=True) == []
        assert TOKEN not in text


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
MAPPED = st.fixed_dictionaries({}, optional={"default": TEXTS, "match": st.integers(1, 9), "redact": st.booleans()})


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(constant=TEXTS, title=TEXTS, email=st.booleans(), mapped=MAPPED)
async def test_whatever_is_set_exports_to_no_changes(
    context: Context, constant: str, title: str, email: bool, mapped: dict[str, object]
) -> None:
    if not await list_applications(context):
        await add_application(context, "documo")
    await set_mapping(context, "documo", "title", {"constant": constant, **mapped})
    clause = {"attribute": "city", "operator": "EQUALS", "value": constant}
    await set_scope(context, "documo", [{"title": title, "all": [{"not": clause}]}])
    await change_settings(context, "documo", email_on_failure=email)

    assert await lines(context, await export_application(context, "documo"), prune=True) == []


async def test_file_with_a_digest_is_planned_applied_and_exported(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    with_digest = WHOLE.replace("    notificationEmail:", "    notificationDelivery: digest\n    notificationEmail:")

    assert await lines(context, with_digest) == ['~ provisioning.notificationDelivery: (none) -> "digest"']
    await apply_configuration(context, read(with_digest), resolve=resolve)

    assert (await show_settings(context, "documo")).notification_delivery == "digest"
    assert await lines(context, await export_application(context, "documo"), prune=True) == []
    assert await lines(context, WHOLE) == []  # a key that the file leaves out is kept


async def test_an_export_makes_the_same_application_under_another_name(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    text = await export_application(context, "documo")

    copy = text.replace("name: documo}", "name: second}")
    await apply_configuration(context, read(copy), resolve=resolve)

    again = await export_application(context, "second")
    assert again.replace("SECOND_", "DOCUMO_").replace("name: second}", "name: documo}") == text


async def test_files_assign_and_remove_a_role_that_is_off(context: Context) -> None:
    off = WHOLE.replace("displayName: Admin}", "displayName: Admin, enabled: false}")
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    await apply_configuration(context, read(off), resolve=resolve)
    copy = (await export_application(context, "documo")).replace("name: documo}", "name: second}")

    await apply_configuration(context, read(copy), resolve=resolve)
    without = off.replace("    - {user: KIM@contoso.test, role: Admin}\n", "")
    await apply_configuration(context, read(without), prune=True, resolve=resolve)

    rows = [[row.role_value for row in await list_assignments(context, name)] for name in ("documo", "second")]
    assert rows == [["member"], ["member", "admin"]]


async def test_people_in_the_recycle_bin_are_not_exported(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    await people.delete(context, [upn("kim")])

    text = await export_application(context, "documo")

    assert "kim" not in text
    assert await lines(context, text, prune=True) == []


async def test_two_groups_of_one_name_are_named_by_their_ids(context: Context, hub: Hub) -> None:
    second = await create_group(context, "some-sales")
    await hub.fetch("update grp set display_name = 'all-sales' where id = %s", second.id)
    await add_application(context, "documo")
    await assign(context, "documo", groups=[second.id], role="Member")

    text = await export_application(context, "documo")

    assert f"group: {second.id}" in text
    assert await lines(context, text, prune=True) == []


async def test_what_the_file_does_not_have_stays_until_it_is_pruned(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    text = HEAD + "  roles: [{value: member, displayName: Member}]\n  assignments: [{group: all-sales, role: member}]\n"

    await apply_configuration(context, read(text), resolve=resolve)
    assert [role.value for role in await list_roles(context, "documo")] == ["member", "admin"]
    assert await lines(context, text) == [
        "- roles[admin]   (stays; --prune removes it)",
        f"- assignments[user {upn('kim')}]   (stays; --prune removes it)",
    ]

    await apply_configuration(context, read(text), prune=True, resolve=resolve)
    assert [role.value for role in await list_roles(context, "documo")] == ["member"]
    assert [row.principal for row in await list_assignments(context, "documo")] == ["all-sales"]


async def test_what_fails_changes_nothing_at_all(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    new = HEAD.replace("name: documo", "name: another")
    text = f"{new}---\n{HEAD}  roles: [{{value: member, displayName: Members}}]\n"

    with pytest.raises(LockstepError, match='The role "Admin" of Documo is used by 1 assignment') as refused:
        await apply_configuration(context, read(text), prune=True, resolve=resolve)

    assert "Application documo cannot be applied; nothing was changed" in refused.value.why
    assert [role.display_name for role in await list_roles(context, "documo")] == ["Admin", "Member"]
    assert [app.name for app in await list_applications(context)] == ["documo"]


async def test_files_that_speak_for_the_organisation_prune_applications_and_sources_they_do_not_name(
    context: Context, hub: Hub
) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    await add_application(context, "custom-scim", name="old")
    config = {"files": [{"path": "nowhere.csv", "kind": "people"}]}
    await save_source(replace(context, open_source=lambda *_: ()), "gone", kind="csv", config=config)
    whole = f"apiVersion: lockstep/v1\nkind: Tenant\nmetadata: {{name: contoso}}\nspec: {{}}\n---\n{HEAD}"
    names = [one.source.name for one in await list_sources(context)]
    sources = "".join(
        f"---\napiVersion: lockstep/v1\nkind: Source\nmetadata: {{name: {name}}}\nspec: {{type: csv, connection: {{}}}}\n"
        for name in names
        if name not in ("gone", "lockstep")
    )
    documents = [one for one in read(whole + sources) if one.kind != "Source"]
    named = [replace(one, spec={"type": "csv"}) for one in read(whole + sources) if one.kind == "Source"]

    shown = await plan_configuration(context, [*documents, *named], resolve=resolve)
    assert [change.line for change in shown.changes if not change.place] == [
        "- Application old   (stays; --prune removes it)",
        "- Source gone   (stays; --prune removes it)",
    ]
    assert [change.line for change in (await plan_configuration(context, read(HEAD))).changes] == []

    with pytest.raises(LockstepError, match="This would remove 2 items; the limit is 1"):
        await apply_configuration(context, [*documents, *named], prune=True, most_removals=1)
    assert len(await list_applications(context)) == 2

    await apply_configuration(context, [*documents, *named], prune=True)
    assert [app.name for app in await list_applications(context)] == ["documo"]
    assert "gone" not in [one.source.name for one in await list_sources(context)]


async def test_a_source_whose_people_are_still_there_is_never_pruned(context: Context) -> None:
    whole = "apiVersion: lockstep/v1\nkind: Tenant\nmetadata: {name: contoso}\nspec: {}\n"

    with pytest.raises(LockstepError, match="hr has imported 2 people"):
        await apply_configuration(context, read(whole), prune=True)


async def test_another_role_in_the_file_replaces_the_role(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    text = HEAD + "  assignments: [{group: all-sales, role: admin}, {user: kim@contoso.test, role: admin}]\n"

    assert await lines(context, text) == ['~ assignments[group all-sales].role: "member" -> "admin"']
    await apply_configuration(context, read(text), resolve=resolve)

    rows = await list_assignments(context, "documo")
    assert [(row.principal, row.role_value) for row in rows] == [("all-sales", "admin"), (upn("kim"), "admin")]


@pytest.mark.parametrize(
    ("text", "there", "words"),
    [
        (HEAD + "  assignments: [{group: all-sale}]\n", "a.yaml:6:18", "all-sales"),
        (HEAD + "  assignments: [{user: kin@contoso.test}]\n", "a.yaml:6:18", "kim@contoso.test"),
        (HEAD + "  assignments: [{group: all-sales, role: Membre}]\n", "a.yaml:6:36", "Member"),
        (HEAD.replace("template: documo", "template: documoo"), "a.yaml:5:3", "documo"),
        (HEAD + "  credentials: {tenantUrl: ftp://x}\n", "a.yaml:6:17", "tenant URL"),
    ],
)
async def test_a_name_that_there_is_not_is_told_with_its_place_and_what_is_like_it(
    context: Context, text: str, there: str, words: str
) -> None:
    with pytest.raises(LockstepError) as refused:
        await plan_configuration(context, read(text))

    assert refused.value.detail.startswith(f"{there}: ")
    assert words in refused.value.detail + refused.value.next_step


async def test_the_template_of_an_application_cannot_be_changed(context: Context) -> None:
    await add_application(context, "custom-scim", name="documo")

    with pytest.raises(LockstepError, match=r"a.yaml:5:3: documo was created from the template custom,"):
        await plan_configuration(context, read(HEAD))


async def test_a_former_name_of_a_gallery_entry_still_adds_and_describes_an_application(context: Context) -> None:
    added = await add_application(context, "custom-scim")
    file = "apiVersion: lockstep/v1\nkind: Application\nmetadata: {name: custom-scim}\nspec: {template: custom-scim}\n"

    assert (added.name, added.template) == ("custom-scim", "custom")
    assert await lines(context, file) == []


async def test_a_missing_secret_is_told_before_anything_is_changed(context: Context) -> None:
    text = WHOLE.replace("env:DOCUMO_SCIM_TOKEN", "env:NOT_SET")

    with pytest.raises(LockstepError, match="env:NOT_SET is not set or empty"):
        await apply_configuration(context, read(text), resolve=resolve)

    with pytest.raises(LockstepError, match="Unknown application"):
        await show_application(context, "documo")


async def test_another_token_is_a_change_that_shows_no_value(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    await set_credentials(context, "documo", secret_token=Secret("another-token-123456"))

    assert await lines(context, WHOLE) == ['~ credentials.secretTokenRef: "********" -> "env:DOCUMO_SCIM_TOKEN"']


async def test_a_token_goes_only_to_the_origin_it_was_given_for(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    text = WHOLE.replace("https://api.documo.test", "https://evil.test").replace("env:DOCUMO_SCIM_TOKEN", "env:NOT_SET")

    with pytest.raises(LockstepError, match="env:NOT_SET is not set or empty"):
        await apply_configuration(context, read(text), resolve=resolve)


async def test_a_plan_that_is_no_longer_true_is_not_applied(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    text = WHOLE.replace("scope: assigned", "scope: all")
    seen = (await plan_configuration(context, read(text), resolve=resolve)).changes
    await change_settings(context, "documo", notification_email="other@contoso.test")

    with pytest.raises(LockstepError) as refused:
        await apply_configuration(context, read(text), resolve=resolve, expected=seen)

    assert refused.value.kind is Kind.CONFLICT
    assert (await show_settings(context, "documo")).scope == "assigned"


async def test_switching_on_and_off_is_part_of_the_file(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)

    for status in ("on", "off"):
        text = f"{HEAD}  provisioning: {{status: {status}}}\n"
        await apply_configuration(context, read(text), resolve=resolve)
        assert (await show_settings(context, "documo")).status == status
        assert await lines(context, text) == []


async def test_saving_says_how_many_objects_are_looked_at_again(context: Context) -> None:
    await apply_configuration(context, read(WHOLE), resolve=resolve)
    await apply_configuration(context, read(f"{HEAD}  provisioning: {{status: on}}\n"), resolve=resolve)

    everybody = await plan_configuration(context, read(f"{HEAD}  provisioning: {{scope: all}}\n"))
    nobody = await plan_configuration(context, read(f"{HEAD}  provisioning: {{notificationEmail: a@b.test}}\n"))

    assert everybody.documents[0].looked_at_again == 2
    assert nobody.documents[0].looked_at_again == 0


async def test_a_source_is_registered_with_paths_beside_its_file(context: Context, tmp_path: Path) -> None:
    text = (
        "apiVersion: lockstep/v1\nkind: Source\nmetadata: {name: second}\nspec:\n  type: csv\n  displayName: Second\n"
        "  connection: {files: [{path: people.csv, kind: people}]}\n  attributes: {displayName: displayName}\n"
    )
    documents = read(text, str(tmp_path / "a.yaml"))

    await apply_configuration(context, documents)

    stored = (await show_source(context, "second")).source
    assert stored.config["files"] == [{"path": str(tmp_path / "people.csv"), "kind": "people"}]
    assert stored.config["map"] == {"displayName": "displayName"}
    assert (await plan_configuration(context, documents, prune=True)).changes == ()


async def test_a_source_that_cannot_be_read_is_told_while_planning(context: Context) -> None:
    text = (
        "apiVersion: lockstep/v1\nkind: Source\nmetadata: {name: second}\nspec:\n  type: csv\n"
        "  connection: {files: [{path: /nowhere/people.csv, kind: people}]}\n"
    )

    with pytest.raises(LockstepError, match=re.compile(r"a.yaml:6:3: .*nowhere")):
        await plan_configuration(context, read(text))


async def test_who_may_only_look_plans_but_does_not_apply(context: Context) -> None:
    reader = replace(
        context, actor=Actor("reader", frozenset({Permission.DIRECTORY_READ, Permission.APPLICATIONS_READ}))
    )

    assert (await plan_configuration(reader, read(HEAD))).changes
    with pytest.raises(LockstepError) as refused:
        await apply_configuration(reader, read(HEAD))
    assert refused.value.kind is Kind.FORBIDDEN


async def test_the_schema_that_entra_would_have_is_exported(context: Context) -> None:
    await add_application(context, "documo")

    schema = await export_entra_schema(context, "documo")

    (mapping,) = schema["synchronizationRules"][0]["objectMappings"]
    assert [one["targetAttributeName"] for one in mapping["attributeMappings"]][:2] == ["userName", "active"]


async def test_a_file_sets_how_requests_are_authenticated_and_an_export_names_it(context: Context) -> None:
    await add_application(context, "documo")
    text = await export_application(context, "documo")
    text = text.replace(
        "authentication: bearer",
        "authentication: oauth2ClientCredentials\n    clientId: client-1\n    tokenUrl: https://api.documo.com/oauth/token",
    )

    plan = await apply_configuration(context, read_documents(text, "documo.yaml"))
    again = await plan_configuration(context, read_documents(await export_application(context, "documo"), "x.yaml"))

    assert {one.place for one in plan.effective} >= {"credentials.authentication", "credentials.clientId"}
    assert "clientId: client-1" in await export_application(context, "documo") and again.effective == ()
