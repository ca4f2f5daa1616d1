"""The tables of SCIM: what a filter, a path, a PATCH, a resource and a projection mean, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.scim.errors import ScimError
from lockstep.scim.filter_match import compile_text
from lockstep.scim.filters import parse_filter, print_filter
from lockstep.scim.operations import patch_body, read_operations
from lockstep.scim.patch import apply_patch
from lockstep.scim.paths import parse_path
from lockstep.scim.projection import projection
from lockstep.scim.validate import validate_resource
from tests.scim.scim_cases import ENTERPRISE, USER, USER_URN, rows, user

BARBARA: dict[str, Any] = {
    "schemas": [USER_URN, ENTERPRISE],
    "id": "u1",
    "externalId": "A-17",
    "userName": "bjensen",
    "displayName": "Barbara",
    "nickName": "Élodie",
    "password": "secret",
    "active": False,
    "name": {"givenName": "Barbara", "familyName": "Jensen"},
    "emails": [
        {"value": "bjensen@example.com", "type": "work", "primary": True},
        {"value": "babs@example.org", "type": "home"},
    ],
    ENTERPRISE: {"department": "Tour", "manager": {"value": "26118915"}},
    "meta": {"created": "2011-08-01T18:29:49.000Z", "lastModified": "2011-08-01T18:29:49.000Z"},
}


def by_rule(case: dict[str, Any]) -> str:
    return str(case.get("rule") or case.get("text"))


@pytest.mark.parametrize("case", rows("filters"), ids=by_rule)
def test_filter_is_read_and_printed(case: dict[str, Any]) -> None:
    tree = parse_filter(case["text"], lenient=case.get("lenient", False))

    assert print_filter(tree) == case["printed"]


@pytest.mark.parametrize("case", rows("filter_errors"), ids=by_rule)
def test_filter_that_cannot_be_read_is_refused_with_its_position(case: dict[str, Any]) -> None:
    with pytest.raises(ScimError) as caught:
        parse_filter(case["text"])

    assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")
    assert case["says"] in caught.value.detail


@pytest.mark.parametrize("case", rows("filter_match"), ids=by_rule)
def test_filter_matches_by_schema(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(ScimError) as caught:
            compile_text(case["filter"], USER)
        assert (caught.value.scim_type, caught.value.detail) == ("invalidFilter", case["error"])
        return

    matches = compile_text(case["filter"], USER, lenient=case.get("lenient", False))

    assert matches(BARBARA) is case["matches"]


@pytest.mark.parametrize("case", rows("paths"), ids=by_rule)
def test_path_is_read_and_printed(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(ScimError) as caught:
            parse_path(case["text"])
        assert caught.value.scim_type == "invalidPath"
        return

    path = parse_path(case["text"])

    selection = print_filter(path.filter) if path.filter is not None else None
    found = (path.schema, path.attribute, selection, path.sub)
    assert found == (case.get("schema", ""), case["attribute"], case.get("filter"), case.get("sub", ""))
    assert str(path) == case["text"]


@pytest.mark.parametrize("case", rows("patch"), ids=by_rule)
def test_patch_as_the_rfc_says(case: dict[str, Any]) -> None:
    before = user(**case.get("before", {}))
    if "error" in case:
        with pytest.raises(ScimError) as caught:
            apply_patch(before, read_operations(patch_body(case["ops"])), USER)
        assert caught.value.scim_type == case["error"]
        assert before == user(**case.get("before", {}))
        return

    result = apply_patch(before, read_operations(patch_body(case["ops"])), USER)

    assert result.resource == user(**case["after"])
    assert result.changed is bool(case["touched"])
    assert list(result.touched) == case["touched"]


@pytest.mark.parametrize("case", rows("validate"), ids=by_rule)
def test_resource_is_checked_on_its_way_in(case: dict[str, Any]) -> None:
    body = {"schemas": [USER_URN], **case["body"]}
    unknown = case.get("unknown", "ignore")
    if "error" in case:
        with pytest.raises(ScimError) as caught:
            validate_resource(body, USER, unknown=unknown)
        assert (caught.value.scim_type, caught.value.path) == (case["error"], case["path"])
        assert case["path"] in caught.value.detail
        return

    stored = validate_resource(body, USER, unknown=unknown)

    extension = [ENTERPRISE] if ENTERPRISE in case["stored"] else []
    assert stored == {"schemas": [USER_URN, *extension], **case["stored"]}


@pytest.mark.parametrize("case", rows("projection"), ids=by_rule)
def test_projection_returns_what_was_asked_for(case: dict[str, Any]) -> None:
    choose = projection(USER, attributes=tuple(case.get("attributes", ())), excluded=tuple(case.get("excluded", ())))

    returned = choose(BARBARA)

    assert sorted(set(returned) - {"schemas"}) == sorted(case["returned"])
    assert returned["schemas"] == [USER_URN] + ([ENTERPRISE] if ENTERPRISE in returned else [])
    for name, value in case.get("value", {}).items():
        assert returned[name] == value
