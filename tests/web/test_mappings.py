"""Attribute-Mapping: the mapping with live values and findings, Edit Attribute with several people, and saving with its consequences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockstep.actions import assignments, groups, mappings, sources
from lockstep.actions.permissions import Role
from lockstep.targets.opener import ScimTargets
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import person, write_csv

HERE = "/apps/documo/provisioning/mappings/user"
SURNAME: dict[str, Any] = {"original": "name.familyName", "target": "name.familyName", "match": "no", "apply": "always"}


@pytest.fixture
async def documo(centre: Centre, admin: Browser, tmp_path: Path) -> Browser:
    """An application with three people, two of whom are assigned."""
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    people = [
        person("anna", displayName="Anna <script>alert(1)</script>", surname="Lindqvist", department="Sales"),
        person("bo", displayName="Bo Ek", surname="Ek", department="IT"),
        person("cleo", displayName="Cleo Day", surname="Day", department=""),
    ]
    file = write_csv(tmp_path / "people.csv", people)
    await sources.import_file(centre.hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    await assignments.assign(
        centre.hub.context, "documo", users=["anna@contoso.test", "bo@contoso.test"], role="Member"
    )
    return admin


async def test_a_new_mapping_opens_without_an_error(documo: Browser) -> None:
    dialog = await documo.get(f"{HERE}/edit")

    assert "Edit Attribute" in dialog.text
    assert "must not be empty" not in dialog.text and 'role="alert"' not in dialog.html


async def mappings_of(centre: Centre) -> list[dict[str, Any]]:
    return await mappings.read_mappings(replace(centre.hub.context, opener=ScimTargets()), "documo")


async def rows_of(centre: Centre) -> dict[str, dict[str, Any]]:
    (found,) = await mappings_of(centre)
    return {one["target"]: one for one in found["attributes"]}


async def test_the_mapping_is_shown_under_the_tutorials_labels_with_a_persons_values(documo: Browser) -> None:
    page = await documo.get(f"{HERE}?person=bo@contoso.test")
    every = await documo.get("/apps/documo/provisioning/mappings")

    for label in (
        "Attribute-Mapping", "Synchronize Microsoft Entra users to Documo", "Enabled", "Source Object Scope", "All records",
        "Target Object Actions", "Create", "Update", "Delete", "Source attribute", "Target attribute", "Matching precedence",
        "Apply", "Preview with", "Add New Mapping", "Show advanced options", "Edit attribute list for Documo",
        "Expression builder", "Review your schema", "Restore default mappings",
    ):  # fmt: skip
        assert label in page.text, label
    assert "Bo Ek" in page.text and ">bo@contoso.test<" in page.html.replace("<wbr>", "") and "no account" in page.text
    assert "Synchronize Microsoft Entra users to Documo" in every.text and HERE in every.links


async def test_the_preview_begins_with_somebody_who_has_an_account(centre: Centre, documo: Browser) -> None:
    await centre.hub.fetch(
        """insert into link (job, kind, source_id, target_id, state, base, display)
        select job.id, 'User', person.id, 'u_1', 'live', '{}', 'Bo Ek' from job, person
        where person.user_principal_name = 'bo@contoso.test'"""
    )

    page = await documo.get(HERE)

    assert 'value="bo@contoso.test"' in page.html


async def test_names_from_the_directory_are_escaped(documo: Browser) -> None:
    page = await documo.get(f"{HERE}?person=anna@contoso.test")

    assert "Anna <script>" in page.text and "<script>alert" not in page.html


async def test_a_person_who_is_not_there_is_said_beside_the_field(documo: Browser) -> None:
    page = await documo.get(f"{HERE}?person=nobody@contoso.test")

    assert page.status == 200 and "nobody@contoso.test" in page.text and 'aria-invalid="true"' in page.html


async def test_a_finding_stands_beside_its_row(documo: Browser) -> None:
    odd = {"original": "active", "target": "active", "type": "direct", "source": "accountEnabled", "default": "perhaps"}
    await documo.post(f"{HERE}/edit", {**odd, "step": "save"})

    page = await documo.get(HERE)

    row = page.html.split('class="mono wrap target">active')[1].split("</tr>")[0]
    assert "Active is boolean, but its default is not" in row


async def test_editing_shows_who_is_affected_and_saves_with_the_second_click(centre: Centre, documo: Browser) -> None:
    form = {**SURNAME, "type": "expression", "expression": "ToUpper([surname])", "default": "X"}

    dialog = await documo.get(f"{HERE}/edit?target=name.familyName")
    review = await documo.post(f"{HERE}/edit", form)
    assert (await rows_of(centre))["name.familyName"]["source"] == "surname"
    done = await documo.post(f"{HERE}/edit", {**form, "step": "save"})

    for label in (
        "Edit Attribute", "Mapping type", "Direct", "Constant", "Expression", "None", "Source attribute",
        "Default value if null (optional)", "Target attribute", "Match objects using this attribute",
        "Matching precedence", "Apply this mapping", "Always", "Only during creation",
    ):  # fmt: skip
        assert label in dialog.text, label
    assert "re-evaluates 2 people" in review.text and "ToUpper([surname])" in review.text
    assert (done.status, done.location) == (303, HERE)
    saved = (await rows_of(centre))["name.familyName"]
    assert saved == {"target": "name.familyName", "expression": "ToUpper([surname])", "default": "X"}


async def test_the_result_for_several_people_is_what_is_written_later(documo: Browser) -> None:
    form = {
        **SURNAME,
        "type": "expression",
        "expression": 'Switch([department], "member", "IT", "admin")',
        "people": "anna@contoso.test, bo@contoso.test",
    }
    tried = await documo.post(f"{HERE}/try", form)
    await documo.post(f"{HERE}/edit", {**form, "step": "save"})
    page = await documo.get(f"{HERE}?person=bo@contoso.test")

    assert "Bo Ek admin" in tried.text and "member" in tried.text
    assert "admin" in page.text


async def test_an_error_of_an_expression_is_marked_at_its_character(documo: Browser) -> None:
    form = {**SURNAME, "type": "expression", "expression": "ToUpper([surname]"}

    tried = await documo.post(f"{HERE}/try", form)
    refused = await documo.post(f"{HERE}/edit", form)

    assert "Character 18" in tried.text and "<mark> </mark>" in tried.html
    assert refused.status == 400 and "ToUpper([surname]" in refused.text


@pytest.mark.parametrize(
    "wrong", [{"type": "direct", "source": ""}, {"type": "constant", "constant": ""}, {"type": "expression"}]
)
async def test_a_missing_field_is_said_on_the_form_with_what_was_typed(documo: Browser, wrong: dict[str, str]) -> None:
    refused = await documo.post(f"{HERE}/edit", {**SURNAME, **wrong, "default": "kept"})

    assert refused.status == 400 and "field-error" in refused.html and 'value="kept"' in refused.html


async def test_the_only_matching_attribute_cannot_be_removed(centre: Centre, documo: Browser) -> None:
    refused = await documo.post(f"{HERE}/remove", {"target": "userName", "step": "save"})

    assert refused.status == 400 and "only matching attribute" in refused.text
    assert "userName" in await rows_of(centre)


async def test_removing_says_what_stays_and_then_removes(centre: Centre, documo: Browser) -> None:
    review = await documo.post(f"{HERE}/remove", {"target": "name.givenName"})
    assert "name.givenName" in await rows_of(centre)
    await documo.post(f"{HERE}/remove", {"target": "name.givenName", "step": "save"})

    assert "Existing values in the application stay" in review.text
    assert "name.givenName" not in await rows_of(centre)


async def test_a_mapping_whose_target_is_changed_writes_the_new_one_alone(centre: Centre, documo: Browser) -> None:
    form = {**SURNAME, "target": "displayName", "type": "direct", "source": "displayName", "step": "save"}
    await documo.post(f"{HERE}/edit", form)

    rows = await rows_of(centre)
    assert rows["displayName"]["source"] == "displayName" and "name.familyName" not in rows


async def test_name_and_actions_are_saved_and_the_defaults_come_back(centre: Centre, documo: Browser) -> None:
    form = {"name": "People to Documo", "enabled": "on", "action": "create", "step": "save"}
    await documo.post(HERE, form)
    (changed,) = await mappings_of(centre)
    await documo.post(f"{HERE}/restore", {"step": "save"})
    (restored,) = await mappings_of(centre)

    assert (changed["name"], changed["actions"]) == ("People to Documo", ["create"])
    assert restored["name"] == "Synchronize Microsoft Entra users to Documo"
    assert restored["actions"] == ["create", "update", "delete"]


async def test_an_auditor_sees_the_mapping_without_controls_and_may_not_change_it(
    centre: Centre, documo: Browser
) -> None:
    auditor = await centre.signed_in(Role.AUDITOR)

    page = await auditor.get(HERE)
    refused = await auditor.post(f"{HERE}/edit", {**SURNAME, "type": "direct", "source": "displayName"})

    assert page.status == 200 and "Add New Mapping" not in page.text and "Restore default" not in page.text
    assert refused.status == 403


async def test_an_unknown_kind_of_object_is_no_page(documo: Browser) -> None:
    assert (await documo.get("/apps/documo/provisioning/mappings/device")).status == 404
    assert (await documo.get(f"{HERE}/edit?target=nothing")).status == 404
    assert (await documo.get("/apps/documo/provisioning/mappings/group")).status == 404


async def test_the_expression_builder_shows_values_and_steps_and_hands_the_expression_over(documo: Browser) -> None:
    builder = "/apps/documo/provisioning/expression"
    form = {
        "expression": 'IIF([department]="IT", ToUpper([surname]), [surname])',
        "people": "bo@contoso.test, anna@contoso.test",
        "values": "surname=Hand\ndepartment=IT",
        "target": "name.familyName",
    }
    page = await documo.get(builder)
    tried = await documo.post(builder, form)
    handed = await documo.post(f"{HERE}/edit", {**form, "step": "fill"})

    assert "Switch" in page.text and "Functions" in page.text and '<option value="[department]"' in page.html
    assert "Entered values HAND" in tried.text and "bo@contoso.test EK" in tried.text
    assert "anna@contoso.test Lindqvist" in tried.text
    assert "Step by step" in tried.text and "not evaluated" in tried.text
    assert "Edit Attribute" in handed.text and "ToUpper([surname])" in handed.text
    assert 'value="name.familyName"' in handed.html and "only matching" not in handed.text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"expression": "Joinn([surname])"}, "Character 1: "),
        ({"expression": "[surnme]"}, "did you mean"),
        ({"expression": "[surname]", "people": "nobody@contoso.test"}, "nobody@contoso.test"),
        ({"expression": "[surname]", "values": "surname"}, "NAME=VALUE"),
    ],
)
async def test_what_is_wrong_with_an_expression_is_said_under_it(
    documo: Browser, form: dict[str, str], said: str
) -> None:
    assert said in (await documo.post("/apps/documo/provisioning/expression", form)).text


async def test_attributes_are_added_to_the_list_and_removed_from_it(documo: Browser) -> None:
    here = f"{HERE}/attributes"
    wrong = await documo.post(here, {"name": "id[", "type": "Integer"})
    unnamed = await documo.post(here, {"name": ""})
    added = await documo.post(here, {"name": "urn:example:1.0:User:badge", "type": "Integer", "step": "add"})
    page = await documo.get(here)
    await documo.post(here, {"name": "urn:example:1.0:User:badge", "step": "remove"})
    gone = await documo.get(here)

    assert wrong.status == 400 and 'value="id["' in wrong.html
    assert unnamed.status == 400 and "needs a name" in unnamed.text
    assert added.status == 303 and "urn:example:1.0:User:badge Integer" in page.text
    assert "urn:example:1.0:User:badge Integer" not in gone.text


async def test_attributes_cannot_be_discovered_without_a_connection(documo: Browser) -> None:
    refused = await documo.post(f"{HERE}/attributes", {"step": "discover"})

    assert refused.status == 400 and "credentials" in refused.text


async def test_a_schema_is_shown_downloaded_and_imported_with_what_it_changes(centre: Centre, documo: Browser) -> None:
    schema = "/apps/documo/provisioning/schema"
    page = await documo.get(schema)
    file = await documo.get(f"{schema}/download")
    fewer = orjson.loads(file.html)
    mapping = fewer["synchronizationRules"][0]["objectMappings"][0]
    mapping["attributeMappings"] = [
        one for one in mapping["attributeMappings"] if one["targetAttributeName"] != "name.givenName"
    ]
    text = orjson.dumps(fewer).decode()
    review = await documo.post(schema, {"schema": text})
    assert "name.givenName" in await rows_of(centre)
    before = await rows_of(centre)
    done = await documo.post(schema, {"schema": text, "step": "save"})

    assert "synchronizationRules" in page.text
    assert "documo-schema.json" in file.headers["Content-Disposition"]
    assert "All mappings and scoping filters are replaced" in review.text
    assert done.status == 303
    after = await rows_of(centre)
    assert "name.givenName" not in after
    assert [one.get("privileged") for one in after.values() if "roles" in one["target"]] == [
        one.get("privileged") for one in before.values() if "roles" in one["target"]
    ]


@pytest.mark.parametrize("text", ["{", "[]", '{"synchronizationRules": []}'])
async def test_what_is_no_schema_is_refused_and_kept_on_the_form(documo: Browser, text: str) -> None:
    refused = await documo.post("/apps/documo/provisioning/schema", {"schema": text})

    assert refused.status == 400 and "field-error" in refused.html


async def test_groups_have_the_same_pages(centre: Centre, documo: Browser) -> None:
    await documo.post("/apps/new/custom-scim", {"displayName": "Wiki", "name": "wiki"})
    await groups.create_group(centre.hub.context, "Sales team")
    here = "/apps/wiki/provisioning/mappings/group"

    page = await documo.get(here)
    dialog = await documo.get(f"{here}/edit?target=displayName")
    scope = await documo.get(f"{here}/scope")
    form = {"title-0": "Some", "attribute-0-0": "displayName", "operator-0-0": "EQUALS", "value-0-0": "Sales team"}
    saved = await documo.post(f"{here}/scope", {**form, "step": "save"})

    assert "Sales team" in page.text and "members" in page.text and "Expression builder" in page.text
    assert "Sales team" in dialog.text
    assert scope.status == 200 and "Who matches" not in scope.text
    assert saved.status == 303
