"""The gallery: its entries, and how a mistake in an entry is reported."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from lockstep.configuration.rules import configuration_from_json
from lockstep.engine.records import ObjectKind
from lockstep.errors import LockstepError
from lockstep.gallery.loader import load_gallery, read_template

TEXT = (resources.files("lockstep.gallery") / "apps" / "documo.yaml").read_text(encoding="utf-8")


def test_gallery_offers_documo_and_any_other_application() -> None:
    assert load_gallery().names() == ("custom", "documo")


def test_an_entry_is_found_by_the_id_that_it_had() -> None:
    assert load_gallery().template("Custom-SCIM").id == "custom"


def test_no_entry_may_have_the_former_id_of_another(tmp_path: Path) -> None:
    for name, more in (("a", "formerIds: [b]\n"), ("b", "")):
        (tmp_path / f"{name}.yaml").write_text(TEXT.replace("id: documo\n", f"id: {name}\n{more}", 1), encoding="utf-8")

    with pytest.raises(LockstepError, match="already has the id 'b'"):
        load_gallery(tmp_path)


def test_documo_has_the_attributes_of_its_tutorial() -> None:
    documo = load_gallery().template("documo")

    assert [(a.name, str(a.type), a.filterable) for a in documo.attributes[ObjectKind.USER]] == [
        ("userName", "String", True),
        ("active", "Boolean", False),
        ("name.givenName", "String", False),
        ("name.familyName", "String", False),
        ('roles[primary eq "True"].value', "String", False),
    ]
    assert documo.kinds == (ObjectKind.USER,)
    assert documo.matching_attribute == "userName"
    assert documo.tenant_url.default == "https://api.documo.com/scim/v2"


def test_documo_has_the_default_mappings_of_its_tutorial() -> None:
    (mapping,) = load_gallery().template("documo").provisioning["mappings"]

    assert mapping["name"] == "Synchronize Microsoft Entra users to Documo"
    assert [(a["target"], a.get("source") or a["expression"], a.get("match")) for a in mapping["attributes"]] == [
        ("userName", "userPrincipalName", 1),
        ("active", 'Switch([IsSoftDeleted], , "False", "True", "True", "False")', None),
        ("name.givenName", "givenName", None),
        ("name.familyName", "surname", None),
        ('roles[primary eq "True"].value', "SingleAppRoleAssignment([appRoleAssignments])", None),
    ]


def test_custom_application_takes_people_and_groups() -> None:
    configuration = load_gallery().template("custom-scim").configuration()
    people, groups = (configuration.mapping_for(kind) for kind in ObjectKind)

    assert people is not None
    assert groups is not None
    assert [m.target for m in people.matching] == ["userName"]
    assert len(people.attributes) == 22
    assert people.by_target["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"].is_reference
    assert [m.target for m in groups.attributes] == ["displayName", "externalId", "members"]
    assert groups.has_members


def test_roles_have_the_same_ids_everywhere() -> None:
    roles = load_gallery().template("documo").roles

    assert [role.value for role in roles] == ["Admin", "Editor", "Member", "Viewer"]
    assert roles[0].id == "094603a4-7647-5f2e-ab4d-4fe4dce4144d"


def test_unknown_application_is_refused_with_what_was_meant() -> None:
    with pytest.raises(LockstepError, match='did you mean "documo"'):
        load_gallery().template("docummo")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("name.givenName, source:", "name.givenName, sorce:", 'line 52: provisioning.mappings[0].attributes[2].sorce: unknown key "sorce"'),
        ("displayName: Documo", "dispayName: Documo", "displayName: is missing"),
        ("Switch(", "Swich(", "line 51: provisioning.mappings[0].attributes[1].expression: "),
        ("target: name.givenName", "target: name.given", 'unknown target attribute "name.given", did you mean "name.givenName"?'),
        ("groups: false", "groups: maybe", "line 8: capabilities.groups: must be true or false"),
        ("filterable: true", "filterable: false", '"userName" cannot be a matching attribute'),
        ("source: User", "source: Group", "does not support groups"),
        ("id: documo", "id: [documo", "this is not valid YAML"),
        ("scope: assigned", "scope: some", "provisioning.scope: "),
        ("{ name: active, type: Boolean }", "{ name: active, type: Bool }", "line 18: attributes.User[1].type: "),
    ],
)  # fmt: skip
def test_mistake_in_an_entry_is_told_with_file_line_and_key(right: str, wrong: str, message: str) -> None:
    assert right in TEXT

    with pytest.raises(LockstepError) as raised:
        read_template(TEXT.replace(right, wrong, 1), "documo.yaml")

    assert raised.value.detail.startswith("documo.yaml")
    assert message in raised.value.detail


def test_gallery_of_ones_own_is_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(TEXT.replace("id: documo", "id: mine"), encoding="utf-8")

    assert load_gallery(tmp_path).names() == ("mine",)


def test_two_entries_with_one_id_are_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(TEXT, encoding="utf-8")

    with pytest.raises(LockstepError, match=r"b\.yaml: another entry already has the id"):
        load_gallery(tmp_path)


@pytest.mark.parametrize("name", load_gallery().names())
def test_default_configuration_stands_on_its_own(name: str) -> None:
    template = load_gallery().template(name)

    alone = configuration_from_json(template.provisioning, version=1, roles=template.roles)

    facts = [
        (a.target, a.attribute.type, a.attribute.case_exact, a.attribute.required)
        for m in alone.objects
        for a in m.attributes
    ]
    assert facts == [
        (a.target, a.attribute.type, a.attribute.case_exact, a.attribute.required)
        for m in template.configuration().objects
        for a in m.attributes
    ]
