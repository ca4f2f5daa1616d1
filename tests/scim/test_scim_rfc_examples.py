"""The examples of RFC 7643 and RFC 7644, by section, parsed and answered as the text says."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.scim.members import (
    AddMembers,
    MemberChange,
    RemoveAllMembers,
    RemoveMembers,
    ReplaceMembers,
    split_member_operations,
)
from lockstep.scim.messages import BulkOperation, SearchRequest, read_bulk, search_from_body
from lockstep.scim.operations import read_operations
from lockstep.scim.patch import apply_patch
from lockstep.scim.projection import projection
from lockstep.scim.validate import validate_resource
from tests.scim.scim_cases import GROUP, USER, golden, user

PATCHES = golden("rfc7644-3.5.2-patches")


@pytest.mark.parametrize("name", ["rfc7643-8.1-user-minimal", "rfc7643-8.2-user-full", "rfc7643-8.3-user-enterprise"])
def test_user_of_the_rfc_is_stored_as_it_is_but_for_what_the_service_sets(name: str) -> None:
    example = golden(name)

    stored = validate_resource(example, USER, unknown="refuse")

    expected = {key: value for key, value in example.items() if key not in ("id", "meta", "groups")}
    for content in expected.values():
        if isinstance(content, dict) and "manager" in content:
            del content["manager"]["displayName"]
    assert stored == expected


def test_group_of_the_rfc_is_stored_with_its_members() -> None:
    example = golden("rfc7643-8.4-group")

    stored = validate_resource(example, GROUP, unknown="refuse")

    assert [member["value"] for member in stored["members"]] == [member["value"] for member in example["members"]]


def test_replacing_a_user_keeps_what_the_service_set() -> None:
    stored = golden("rfc7643-8.2-user-full")

    replaced = validate_resource({**stored, "id": "another", "title": "Chief"}, USER, stored=stored)

    assert (replaced["id"], replaced["meta"], replaced["groups"]) == (stored["id"], stored["meta"], stored["groups"])
    assert replaced["title"] == "Chief"


def test_full_user_is_returned_without_its_password() -> None:
    example = golden("rfc7643-8.2-user-full")

    assert projection(USER)(example) == {key: value for key, value in example.items() if key != "password"}


@pytest.mark.parametrize("case", [c for c in PATCHES if "after" in c], ids=lambda case: case["section"])
def test_patch_of_a_user(case: dict[str, Any]) -> None:
    result = apply_patch(user(**case["before"]), read_operations(case["request"]), USER)

    assert result.resource == user(**case["after"])


@pytest.mark.parametrize("case", [c for c in PATCHES if "members" in c], ids=lambda case: case["section"])
def test_patch_of_members(case: dict[str, Any]) -> None:
    changes, rest = split_member_operations(read_operations(case["request"]))

    assert [_in_words(change) for change in changes] == case["members"]
    assert rest == []


def test_bulk_request() -> None:
    request = read_bulk(golden("rfc7644-3.7-bulk"))

    assert request.fail_on_errors == 1
    assert [(o.method, o.path.split("/")[1], o.bulk_id) for o in request.operations] == [
        ("POST", "Users", "qwerty"),
        ("PUT", "Users", ""),
        ("PATCH", "Users", ""),
        ("DELETE", "Users", ""),
    ]
    assert request.operations[3] == BulkOperation(
        "DELETE", "/Users/e9025315-6bea-44e1-899c-1e07454e468b", "", 'W/"0ee8add0a938e1a"'
    )


def test_search_request() -> None:
    assert search_from_body(golden("rfc7644-3.4.3-search")) == SearchRequest(
        filter='displayName sw "smith"', attributes=("displayName", "userName"), start_index=1, count=10
    )


def _in_words(change: MemberChange) -> str:
    match change:
        case AddMembers(members):
            return "add " + " ".join(member.value for member in members)
        case RemoveMembers(values):
            return "remove " + " ".join(values)
        case ReplaceMembers(members):
            return "replace " + " ".join(member.value for member in members)
        case RemoveAllMembers():
            return "remove all"
