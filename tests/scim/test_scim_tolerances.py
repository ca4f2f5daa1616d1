"""Each tolerance against the request of the client that it was made for; `strict` refuses or ignores the same request."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.scim.errors import ScimError
from lockstep.scim.filter_match import compile_filter
from lockstep.scim.filters import print_filter
from lockstep.scim.members import (
    AddMembers,
    Member,
    RemoveAllMembers,
    RemoveMembers,
    ReplaceMembers,
    split_member_operations,
)
from lockstep.scim.messages import SearchRequest
from lockstep.scim.normalize import (
    definition_at,
    describe_tolerance,
    media_type_is_accepted,
    normalize_filter,
    normalize_patch,
    normalize_resource,
    normalize_search,
)
from lockstep.scim.patch import apply_patch
from lockstep.scim.profiles import PROFILES, profile_named
from lockstep.scim.registry import default_registry
from lockstep.scim.validate import validate_resource
from tests.scim.scim_cases import GROUP, PATCH_URN, USER, USER_URN, rows, user

CASES = rows("tolerances")
STRICT, LENIENT = profile_named("strict"), profile_named("lenient")


def by_name(case: dict[str, Any]) -> str:
    return f"{case['profile']}-{case['tolerance']}-{'patch' if 'patch' in case else 'resource'}"


def _outcome(case: dict[str, Any], profile: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    chosen = profile_named(profile)
    if "patch" in case:
        body = {"schemas": [PATCH_URN], "Operations": case["patch"]}
        operations, applied = normalize_patch(body, chosen, USER)
        return apply_patch(user(**case["before"]), operations, USER, unknown=chosen.unknown).resource, applied
    body, applied = normalize_resource({"schemas": [USER_URN], **case["resource"]}, chosen, USER)
    return validate_resource(body, USER, unknown=chosen.unknown), applied


@pytest.mark.parametrize("profile", ["own", "lenient"])
@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_client_gets_what_it_meant(case: dict[str, Any], profile: str) -> None:
    resource, applied = _outcome(case, case["profile"] if profile == "own" else profile)

    assert resource == user(**case["after"])
    assert case["tolerance"] in applied


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_strict_refuses_or_takes_it_to_the_letter(case: dict[str, Any]) -> None:
    try:
        resource, applied = _outcome(case, "strict")
    except ScimError as error:
        assert error.status == 400
    else:
        assert (resource != user(**case["after"]), applied) == (True, ())


def test_every_tolerance_has_a_case_and_names_its_client() -> None:
    elsewhere = {
        "incomplete_envelope",
        "numbers_as_text",
        "quoted_booleans",
        "other_media_type",
        "lower_case_endpoint",
        "value_paths_as_names",
    }

    assert {case["tolerance"] for case in CASES} | elsewhere == LENIENT.tolerances
    assert all(describe_tolerance(name) for name in LENIENT.tolerances)


def test_value_paths_among_wanted_attributes_are_read_as_names_where_that_is_forgiven() -> None:
    asked = SearchRequest(attributes=("userName", 'emails[type eq "work"].value', f"{USER_URN}:emails"))

    right, applied = normalize_search(asked, profile_named("entra"))
    untouched, none = normalize_search(asked, profile_named("strict"))

    assert right.attributes == ("userName", "emails", f"{USER_URN}:emails") and applied == ("value_paths_as_names",)
    assert untouched == asked and none == ()


def test_profiles_are_the_documented_ones() -> None:
    assert list(PROFILES) == ["strict", "entra", "okta", "onelogin", "jumpcloud", "google", "lenient"]


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_key_that_is_a_path_is_never_dropped_in_silence(profile: str) -> None:
    case = {"patch": [{"op": "replace", "value": {"name.familyName": "Berg"}}], "before": {"name": {"familyName": "A"}}}

    try:
        resource, _ = _outcome(case, profile)
    except ScimError as refused:
        assert refused.status == 400
    else:
        assert resource["name"] == {"familyName": "Berg"}


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_key_with_brackets_is_never_dropped_in_silence(profile: str) -> None:
    home, work = {"type": "home", "value": "h@x.org"}, {"type": "work", "value": "w@x.org"}
    value = {'emails[type eq "work"].value': "new@x.org", "title": "T"}
    case = {"patch": [{"op": "replace", "value": value}], "before": {"emails": [home, work]}}

    try:
        resource, _ = _outcome(case, profile)
    except ScimError as refused:
        assert refused.status == 400
    else:
        assert resource["emails"] == [home, {**work, "value": "new@x.org"}] and resource["title"] == "T"


def test_key_with_brackets_creates_its_element_and_must_be_readable() -> None:
    value = {'emails[type eq "work"].value': "new@x.org", 'roles[primary eq "True"].value': "Editor"}
    resource, _ = _outcome({"patch": [{"op": "Add", "value": value}], "before": {}}, "entra")

    assert resource["emails"] == [{"type": "work", "value": "new@x.org"}]
    assert resource["roles"] == [{"primary": True, "value": "Editor"}]
    with pytest.raises(ScimError) as refused:
        _outcome({"patch": [{"op": "Add", "value": {"emails[type eq": "x"}}], "before": {}}, "entra")
    assert refused.value.scim_type == "invalidPath"


def test_a_right_request_needs_no_tolerance() -> None:
    patch = {"schemas": [PATCH_URN], "Operations": [{"op": "replace", "path": "active", "value": False}]}

    assert normalize_patch(patch, LENIENT, USER).applied == ()
    assert normalize_resource({"schemas": [USER_URN], "userName": "a"}, LENIENT, USER).applied == ()
    assert normalize_filter('userName eq "a"', LENIENT, USER).applied == ()


@pytest.mark.parametrize("profile", ["strict", "entra", "okta", "onelogin", "jumpcloud", "google"])
@pytest.mark.parametrize(
    ("op", "path", "value"), [("replace ", "active", False), ("replace", "active", "No"), ("replace", "/active", False)]
)
def test_habit_without_a_mark_is_tolerated_by_lenient_alone(profile: str, op: str, path: str, value: Any) -> None:
    case = {"patch": [{"op": op, "path": path, "value": value}], "before": {"active": True}}

    assert _outcome(case, "lenient")[0]["active"] is False
    with pytest.raises(ScimError) as refused:
        _outcome(case, profile)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("op", "value"), [("re place", False), ("update ", False), (" ", False), ("REPLACE ", "Y"), ("REPLACE ", "None")]
)
def test_other_ops_and_other_words_for_a_boolean_are_refused(op: str, value: Any) -> None:
    with pytest.raises(ScimError) as refused:
        _outcome({"patch": [{"op": op, "path": "active", "value": value}], "before": {"active": True}}, "lenient")

    assert refused.value.status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//title",
        "/title/",
        "#/title",
        "/name/given~1Name",
        "/emails/0",
        "/emails/-",
        "/emails/0/value",
        "/emails/value",
        f"/{USER_URN}/emails/value",
        '/emails[type eq "work"]/value',
    ],
)
@pytest.mark.parametrize("op", ["add", "remove", "replace"])
def test_pointer_that_is_no_attribute_and_pointer_into_a_list_are_refused(op: str, path: str) -> None:
    emails = [{"type": "work", "value": "a@x.org"}, {"type": "home", "value": "b@x.org"}]

    with pytest.raises(ScimError) as refused:
        _outcome({"patch": [{"op": op, "path": path, "value": "x"}], "before": {"emails": emails}}, "lenient")

    assert refused.value.scim_type == "invalidPath"


def test_pointer_to_a_part_of_a_list_of_an_extension_is_refused_without_its_urn_too() -> None:
    seats = {"name": "seats", "type": "complex", "multiValued": True, "subAttributes": [{"name": "value"}]}
    badge = {"id": "urn:example:Badge", "name": "Badge", "attributes": [{"name": "level"}, seats]}
    definition = default_registry().with_extension("User", badge).resource("User")

    def read(path: str) -> tuple[str, ...]:
        body = {"schemas": [PATCH_URN], "Operations": [{"op": "replace", "path": path, "value": "x"}]}
        return tuple(str(operation.path) for operation in normalize_patch(body, LENIENT, definition).operations)

    assert read("/urn:example:Badge/level") == read("/level") == ("urn:example:Badge:level",)
    for path in ("/seats/value", "/urn:example:Badge/seats/value"):
        with pytest.raises(ScimError):
            read(path)


def test_slash_in_a_name_is_escaped_in_a_pointer() -> None:
    badge = {"id": "urn:example:Badge/2", "name": "Badge", "attributes": [{"name": "level"}]}
    definition = default_registry().with_extension("User", badge).resource("User")
    pointer = {"op": "replace", "path": "/urn:example:Badge~12/level", "value": "x"}

    [operation] = normalize_patch({"schemas": [PATCH_URN], "Operations": [pointer]}, LENIENT, definition).operations

    assert str(operation.path) == "urn:example:Badge/2:level"


def test_patch_without_schemas_is_read_for_scripts_and_refused_when_strict() -> None:
    body = {"operations": [{"op": "replace", "path": "title", "value": "x"}]}

    operations, applied = normalize_patch(body, LENIENT, USER)

    assert (len(operations), applied) == (1, ("incomplete_envelope",))
    with pytest.raises(ScimError):
        normalize_patch(body, STRICT, USER)


def test_numbers_in_quotes_are_read_for_entra() -> None:
    registry = default_registry().with_extension(
        "User",
        {"id": "urn:example:Badge", "name": "Badge", "attributes": [{"name": "level", "type": "integer"}]},
    )
    definition = registry.resource("User")
    body = {"schemas": [USER_URN], "userName": "a", "urn:example:Badge": {"level": "5"}}

    resource, applied = normalize_resource(body, profile_named("entra"), definition)

    assert validate_resource(resource, definition)["urn:example:Badge"] == {"level": 5}
    assert applied == ("numbers_as_text",)


@pytest.mark.parametrize(
    ("text", "meant", "applied"),
    [
        ("externalId eq jyoung", 'externalId eq "jyoung"', ("unquoted_filter_values",)),
        ('active eq "True"', "active eq true", ("quoted_booleans",)),
        (
            'id eq "x" and manager eq "y"',
            'id eq "x" and urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "y"',
            ("extension_without_urn",),
        ),
        ("externalId eq 12345", 'externalId eq "12345"', ("quoted_booleans",)),
        ('emails[primary eq "True"].value eq "a"', 'emails[primary eq true].value eq "a"', ("quoted_booleans",)),
    ],
)
def test_filter_of_entra_is_understood(text: str, meant: str, applied: tuple[str, ...]) -> None:
    result = normalize_filter(text, profile_named("entra"), USER)

    assert print_filter(result.filter) == meant
    assert result.applied == applied
    compile_filter(result.filter, USER)


def test_unquoted_filter_value_is_refused_when_strict() -> None:
    with pytest.raises(ScimError) as caught:
        normalize_filter("externalId eq jyoung", STRICT, USER)

    assert caught.value.scim_type == "invalidFilter"


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        ({"op": "Add", "path": "members", "value": [{"$ref": None, "value": "u1"}]}, AddMembers((Member("u1"),))),
        ({"op": "add", "path": "members", "value": "u1"}, AddMembers((Member("u1"),))),
        ({"op": "add", "path": "members", "value": ["u1", "u2", "u1"]}, AddMembers((Member("u1"), Member("u2")))),
        ({"op": "add", "value": {"members": [{"value": "u1", "type": "User"}]}}, AddMembers((Member("u1", "User"),))),
        ({"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "u1"}]}, RemoveMembers(("u1",))),
        ({"op": "add", "path": "/members", "value": [{"value": "u1"}]}, AddMembers((Member("u1"),))),
        ({"op": "remove", "path": "/members", "value": [{"value": "u1"}]}, RemoveMembers(("u1",))),
        ({"op": "remove", "path": 'members[value eq "u1"]'}, RemoveMembers(("u1",))),
        ({"op": "remove", "path": 'members[value eq "u1" or value eq "u2"]'}, RemoveMembers(("u1", "u2"))),
        (
            {"op": "remove", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:members[value eq u1]"},
            RemoveMembers(("u1",)),
        ),
        ({"op": "remove", "path": "members"}, RemoveAllMembers()),
        ({"op": "replace", "path": "members", "value": []}, RemoveAllMembers()),
        ({"op": "replace", "path": "members", "value": [{"value": "u1"}]}, ReplaceMembers((Member("u1"),))),
    ],
)
def test_members_change_as_every_client_writes_it(operation: dict[str, Any], change: object) -> None:
    operations, _ = normalize_patch({"schemas": [PATCH_URN], "Operations": [operation]}, LENIENT, GROUP)

    changes, rest = split_member_operations(operations)

    assert (changes, rest) == ([change], [])


def test_removing_an_empty_list_of_members_removes_nobody() -> None:
    body = {"schemas": [PATCH_URN], "Operations": [{"op": "Remove", "path": "members", "value": []}]}

    assert split_member_operations(normalize_patch(body, LENIENT, GROUP).operations) == ([], [])


def test_pointer_to_one_member_is_refused() -> None:
    body = {"schemas": [PATCH_URN], "Operations": [{"op": "remove", "path": "/members/a1b2"}]}

    with pytest.raises(ScimError) as refused:
        normalize_patch(body, LENIENT, GROUP)

    assert refused.value.scim_type == "invalidPath"


def test_rename_with_members_in_one_value_is_split() -> None:
    body = {
        "schemas": [PATCH_URN],
        "Operations": [{"op": "replace", "value": {"id": "g", "displayName": "New", "members": [{"value": "u1"}]}}],
    }

    changes, rest = split_member_operations(normalize_patch(body, profile_named("okta"), GROUP).operations)

    assert changes == [ReplaceMembers((Member("u1"),))]
    assert apply_patch({"displayName": "Old"}, rest, GROUP).resource["displayName"] == "New"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "members", "value": [{"value": "u1"}]},
        {"op": "add", "path": "members", "value": [{"display": "no id"}]},
        {"op": "add", "path": "members", "value": ["u1"]},
        {"op": "remove", "path": 'members[display eq "u1"]'},
        {"op": "replace", "path": 'members[value eq "u1"].value', "value": "u2"},
    ],
)
def test_strict_refuses_member_changes_that_are_not_the_rfcs(operation: dict[str, Any]) -> None:
    body = {"schemas": [PATCH_URN], "Operations": [operation]}

    with pytest.raises(ScimError):
        split_member_operations(normalize_patch(body, STRICT, GROUP).operations)


def test_media_types() -> None:
    assert media_type_is_accepted("application/scim+json; charset=utf-8", STRICT)
    assert media_type_is_accepted("application/json", STRICT)
    assert media_type_is_accepted("application/json+scim", LENIENT)
    assert not media_type_is_accepted("application/json+scim", STRICT)
    assert not media_type_is_accepted("text/html", LENIENT)


def test_endpoint_in_lower_case() -> None:
    assert definition_at("users", LENIENT, default_registry()) is USER
    assert definition_at("users", STRICT, default_registry()) is None
    assert definition_at("Users", STRICT, default_registry()) is USER
