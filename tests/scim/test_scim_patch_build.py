"""Requests that Lockstep sends: create bodies and PATCH operations from target paths, in each dialect."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.scim.members import split_member_operations
from lockstep.scim.operations import patch_body, read_operations
from lockstep.scim.patch import apply_patch
from lockstep.scim.patch_build import (
    CLEAR,
    MISSING,
    AddedValues,
    Mode,
    build_patch,
    member_operations,
    patch_operations,
    read_path,
    to_resource,
)
from lockstep.scim.registry import default_registry
from tests.scim.scim_cases import ENTERPRISE, PATCH_URN, USER, USER_URN, user

ROLE = 'roles[primary eq "True"].value'
WORK = 'emails[type eq "work"].value'


def test_create_body_merges_paths_into_one_resource() -> None:
    body = to_resource(
        {
            "userName": "lee@contoso.com",
            "active": "True",
            "name.givenName": "Lee",
            "name.familyName": "Wong",
            WORK: "lee@contoso.com",
            'addresses[type eq "work"].locality': "Ulm",
            'addresses[type eq "work"].country': "DE",
            ROLE: "Admin",
            'roles[primary eq "True"].display': "Administrator",
            f"{ENTERPRISE}:department": "Sales",
            f"{ENTERPRISE}:manager": "m1",
            "urn:ietf:params:scim:schemas:extension:Contoso:2.0:User:badge": "17",
            "title": None,
            "nickName": MISSING,
        },
        USER,
    )

    assert body == {
        "schemas": [USER_URN, ENTERPRISE, "urn:ietf:params:scim:schemas:extension:Contoso:2.0:User"],
        "userName": "lee@contoso.com",
        "active": True,
        "name": {"givenName": "Lee", "familyName": "Wong"},
        "emails": [{"type": "work", "value": "lee@contoso.com", "primary": True}],
        "addresses": [{"type": "work", "locality": "Ulm", "country": "DE"}],
        "roles": [{"primary": True, "value": "Admin", "display": "Administrator"}],
        ENTERPRISE: {"department": "Sales", "manager": {"value": "m1"}},
        "urn:ietf:params:scim:schemas:extension:Contoso:2.0:User": {"badge": "17"},
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("userName", "lee"),
        ("USERNAME", "lee"),
        (ROLE, "Admin"),
        ("roles[primary eq true].value", "Admin"),
        (WORK, "w"),
        ('emails[type eq "WORK"].value', "w"),
        ('emails[type eq "home"].value', MISSING),
        ("emails.value", "w"),
        ("name.givenName", MISSING),
        (f"{ENTERPRISE}:manager", "m1"),
        (f"{ENTERPRISE}:department", "D"),
        ("active", False),
        ("title", MISSING),
    ],
)
def test_value_is_read_whatever_spelling_the_server_has(path: str, value: object) -> None:
    resource = {
        "username": "lee",
        "active": False,
        "title": None,
        "Roles": [{"value": "Guest"}, {"value": "Admin", "primary": "True"}],
        "emails": [{"Type": "Work", "value": "w"}],
        ENTERPRISE.lower(): {"Department": "D", "manager": {"value": "m1", "displayName": "M"}},
    }

    assert read_path(resource, path) == value


def test_rfc_replaces_the_element_that_is_there() -> None:
    current = user(emails=[{"type": "work", "value": "a"}], roles=[{"value": "Guest", "primary": True}])

    assert patch_operations({WORK: "b", ROLE: "Admin"}, current) == [
        {"op": "replace", "path": WORK, "value": "b"},
        {"op": "replace", "path": "roles[primary eq true].value", "value": "Admin"},
    ]


def test_rfc_adds_the_element_that_is_missing() -> None:
    changes = {WORK: "b", ROLE: "Admin", 'roles[primary eq "True"].display': "Administrator"}

    assert patch_operations(changes, user()) == [
        {"op": "add", "path": "emails", "value": [{"type": "work", "value": "b"}]},
        {"op": "add", "path": "roles", "value": [{"primary": True, "value": "Admin", "display": "Administrator"}]},
    ]


def test_rfc_sends_the_type_that_the_attribute_has() -> None:
    changes = {"active": "False", f"{ENTERPRISE}:manager": "m1", "name.givenName": "Lee"}

    assert patch_operations(changes, user()) == [
        {"op": "replace", "path": "active", "value": False},
        {"op": "replace", "path": f"{ENTERPRISE}:manager", "value": {"value": "m1"}},
        {"op": "replace", "path": "name.givenName", "value": "Lee"},
    ]


def test_rfc_sends_the_type_that_a_custom_extension_declares() -> None:
    schema = {"id": "urn:example:Badge", "attributes": [{"name": "level", "type": "integer"}]}
    definition = default_registry().with_extension("User", schema).resource("User")

    assert patch_operations({"urn:example:Badge:level": "5"}, user(), definition=definition) == [
        {"op": "replace", "path": "urn:example:Badge:level", "value": 5}
    ]


def test_clearing_removes_the_whole_element_when_only_its_label_would_stay() -> None:
    current = user(
        emails=[{"type": "work", "value": "a", "primary": True}],
        addresses=[{"type": "work", "locality": "Ulm", "country": "DE"}],
    )
    changes = {WORK: CLEAR, 'addresses[type eq "work"].locality': CLEAR, "title": CLEAR, "userName": "x"}

    assert patch_operations(changes, current) == [
        {"op": "remove", "path": 'emails[type eq "work"]'},
        {"op": "remove", "path": 'addresses[type eq "work"].locality'},
        {"op": "replace", "path": "userName", "value": "x"},
    ]


def test_clearing_all_parts_of_an_element_is_one_operation() -> None:
    current = user(addresses=[{"type": "work", "locality": "Ulm", "country": "DE"}])
    changes = {'addresses[type eq "work"].locality': CLEAR, 'addresses[type eq "work"].country': CLEAR}

    assert patch_operations(changes, current) == [{"op": "remove", "path": 'addresses[type eq "work"]'}]


def test_entra_mode_sends_entras_literal_shapes() -> None:
    current = user(displayName="A", roles=[{"value": "Guest", "primary": True}])
    changes: dict[str, Any] = {
        "displayName": "B",
        "active": False,
        WORK: "b",
        ROLE: "Admin",
        f"{ENTERPRISE}:manager": "m1",
    }

    assert patch_operations(changes, current, "entra") == [
        {"op": "Replace", "path": "displayName", "value": "B"},
        {"op": "Add", "path": "active", "value": "False"},
        {"op": "Add", "path": WORK, "value": "b"},
        {"op": "Replace", "path": ROLE, "value": "Admin"},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": "m1"},
    ]


def test_entra_flag_mode_merges_single_values_into_one_replace_after_the_filtered_ones() -> None:
    current = user(displayName="A", active=True, name={"givenName": "L"}, emails=[{"type": "work", "value": "a"}])
    changes = {"displayName": "B", "active": "False", "name.givenName": "Lee", WORK: "b", "nickName": "N"}

    assert patch_operations(changes, current, "entra-flag") == [
        {"op": "replace", "path": WORK, "value": "b"},
        {"op": "add", "path": "nickName", "value": "N"},
        {"op": "replace", "value": {"displayName": "B", "active": False, "name.givenName": "Lee"}},
    ]


def test_members_go_in_chunks() -> None:
    bodies = member_operations(["a", "b", "c"], ["d", "e"], chunk=2)

    assert bodies == [
        {
            "schemas": [PATCH_URN],
            "Operations": [{"op": "add", "path": "members", "value": [{"value": "a"}, {"value": "b"}]}],
        },
        {"schemas": [PATCH_URN], "Operations": [{"op": "add", "path": "members", "value": [{"value": "c"}]}]},
        {
            "schemas": [PATCH_URN],
            "Operations": [
                {"op": "remove", "path": 'members[value eq "d"]'},
                {"op": "remove", "path": 'members[value eq "e"]'},
            ],
        },
    ]
    assert all(split_member_operations(read_operations(body))[1] == [] for body in bodies)


def test_entra_lists_the_members_to_remove_in_the_value() -> None:
    assert member_operations([], ["d"], "entra") == [
        {
            "schemas": [PATCH_URN],
            "Operations": [{"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "d"}]}],
        }
    ]


def test_an_id_with_quotes_cannot_leave_its_filter() -> None:
    path = member_operations([], ['x" or value pr or value eq "'])[0]["Operations"][0]["path"]

    assert path == 'members[value eq "x\\" or value pr or value eq \\""]'


def test_one_changed_element_costs_one_element_on_the_wire() -> None:
    before = user(emails=[{"value": f"{n}@x.y"} for n in range(20)])
    after = user(emails=[{"value": f"{n}@x.y"} for n in range(1, 20)])

    operations = build_patch(before, after, USER)

    assert operations == [{"op": "remove", "path": 'emails[value eq "0@x.y"]'}]
    assert apply_patch(before, read_operations(patch_body(operations)), USER).resource == after


def test_only_mail_address_of_a_create_is_the_primary_one_unless_a_mapping_decides() -> None:
    home = 'emails[type eq "home"].value'

    assert to_resource({home: "a@b.c"}, USER)["emails"] == [{"type": "home", "value": "a@b.c", "primary": True}]
    assert [one.get("primary") for one in to_resource({WORK: "a@b.c", home: "d@e.f"}, USER)["emails"]] == [None, None]
    decided = {WORK: "a@b.c", 'emails[type eq "work"].primary': "False"}
    assert [one["primary"] for one in to_resource(decided, USER)["emails"]] == [False]


@pytest.mark.parametrize(("mode", "op"), [("rfc", "add"), ("entra", "Add"), ("entra-flag", "add")])
def test_values_that_are_added_leave_the_others_that_are_there(mode: Mode, op: str) -> None:
    operations = patch_operations({"roles": AddedValues([{"value": "Member"}]), "title": "Boss"}, None, mode)

    assert operations[-1] == {"op": op, "path": "roles", "value": [{"value": "Member"}]}
    assert len(operations) == 2
