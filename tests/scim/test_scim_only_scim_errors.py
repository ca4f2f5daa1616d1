"""For every input the answer is a result or a ScimError with a SCIM body: no other exception leaves this package."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lockstep.scim.errors import ERROR_URN, ScimError
from lockstep.scim.filter_match import compile_filter
from lockstep.scim.limits import read_json
from lockstep.scim.members import split_member_operations
from lockstep.scim.messages import read_bulk, search_from_body, search_from_query
from lockstep.scim.normalize import normalize_filter, normalize_patch, normalize_resource
from lockstep.scim.patch import apply_patch
from lockstep.scim.paths import parse_path
from lockstep.scim.profiles import PROFILES
from lockstep.scim.projection import attribute_names, projection
from lockstep.scim.registry import default_registry
from lockstep.scim.schema import resource_type_from_json, schema_from_json
from lockstep.scim.validate import validate_resource
from tests.scim.scim_cases import ENTERPRISE, GROUP, GROUP_URN, PATCH_URN, USER, USER_URN, json_values, user

FAST = settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))
MANY = settings(FAST, max_examples=20_000)

BEFORE = user(
    emails=[{"value": "a", "type": "work", "primary": True}],
    name={"givenName": "A"},
    **{ENTERPRISE: {"manager": {"value": "m"}}},
)
profiles = st.sampled_from(list(PROFILES.values()))
FILTER_BITS = (
    "userName emails name.givenName members eq ne pr co gt and or not ( ) [ ] ]. . true 5 null type value urn: : é"
)
filter_bits = st.sampled_from([*FILTER_BITS.split(), '"', '"work"', " ", "\\", ENTERPRISE, "\ud800", "\x00"])
filter_soup = (
    st.lists(filter_bits, max_size=9).map(" ".join)
    | st.lists(filter_bits, max_size=9).map("".join)
    | st.text(max_size=20)
)
PLAIN_PATHS = "userName emails name active id meta.created members schemas groups roles.value addresses.type"
FILTERS = ('[type eq "work"]', '[type eq "work"].value', "[primary eq true]", "[value pr].primary")
paths = (
    st.sampled_from([*PLAIN_PATHS.split(), "name[givenName pr]", *(f"emails{selection}" for selection in FILTERS)])
    | st.sampled_from([ENTERPRISE, f"{ENTERPRISE}:manager", f"{ENTERPRISE}:manager.value", f"{ENTERPRISE}.department"])
    | filter_soup
)
element = st.dictionaries(
    st.sampled_from(["value", "Type", "primary", "display", "$ref", "x"]), json_values, max_size=3
)
patch_values = (
    json_values | element | st.lists(element, max_size=2) | st.dictionaries(paths, json_values | element, max_size=3)
)
operation = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "replace", "remove", "Add", "Remove", "x", None, 5]),
        "path": paths | json_values,
        "value": patch_values,
    },
)
patch_bodies = json_values | st.fixed_dictionaries(
    {"Operations": st.lists(operation, min_size=1, max_size=4)},
    optional={"schemas": st.just([PATCH_URN]) | json_values},
)
attributes = st.sampled_from(
    ["userName", "emails", "name", "active", "schemas", "roles", "meta", "x", "name.x", ENTERPRISE, "manager"]
)
resources = json_values | st.dictionaries(attributes, json_values | element | st.lists(element, max_size=2), max_size=5)


def _patch(body: Any, profile: Any) -> None:
    for definition, before in ((USER, BEFORE), (GROUP, {"schemas": [GROUP_URN], "displayName": "g"})):
        try:
            operations, _ = normalize_patch(body, profile, definition)
            _, rest = split_member_operations(operations)
            result = apply_patch(before, rest, definition, unknown=profile.unknown)
        except ScimError as error:
            _is_scim(error)
            continue
        # What a PATCH leaves is what a PUT would take.
        assert validate_resource(result.resource, definition, stored=before)


def _is_scim(error: ScimError) -> None:
    body = error.error_body()
    assert body["schemas"] == [ERROR_URN]
    assert body["status"] in ("400", "404", "413")
    assert body["detail"]


@FAST
@given(st.binary(max_size=60) | json_values.map(str).map(str.encode))
@example(b'{"a":1,"a":2}')
@example(b'"\\ud800"')
@example(b"[" * 200)
@example(b"1" * 5000)
def test_bytes(raw: bytes) -> None:
    try:
        read_json(raw)
    except ScimError as error:
        _is_scim(error)


@FAST
@given(filter_soup, profiles)
def test_filters(text: str, profile: Any) -> None:
    try:
        compile_filter(normalize_filter(text, profile, USER).filter, USER, lenient=True)(BEFORE)
    except ScimError as error:
        _is_scim(error)


@FAST
@given(filter_soup, st.booleans())
def test_paths(text: str, lenient: bool) -> None:
    try:
        USER.find(parse_path(text, lenient=lenient).name)
    except ScimError as error:
        _is_scim(error)


@FAST
@given(patch_bodies, profiles)
def test_patches(body: Any, profile: Any) -> None:
    _patch(body, profile)


@FAST
@given(resources, profiles)
def test_resources(body: Any, profile: Any) -> None:
    if isinstance(body, dict):
        body = {"schemas": [USER_URN], "userName": "a", **body}
    try:
        right = normalize_resource(body, profile, USER).resource
        stored = validate_resource(right, USER, stored=BEFORE, unknown=profile.unknown)
    except ScimError as error:
        _is_scim(error)
        return
    assert validate_resource(stored, USER) == stored
    projection(USER)(stored)


@FAST
@given(json_values)
def test_messages_and_schemas(body: Any) -> None:
    readers: list[Any] = [search_from_body, read_bulk, attribute_names, schema_from_json, resource_type_from_json]
    for read in [*readers, default_registry().with_schema]:
        try:
            read(body)
        except ScimError as error:
            _is_scim(error)


@FAST
@given(
    st.dictionaries(st.sampled_from(["filter", "count", "startIndex", "sortOrder", "attributes"]), st.text(max_size=6))
)
def test_query_strings(parameters: dict[str, str]) -> None:
    try:
        search = search_from_query(parameters)
        projection(USER, attributes=search.attributes)
    except ScimError as error:
        _is_scim(error)


@pytest.mark.full
@MANY
@given(patch_bodies, profiles)
def test_twenty_thousand_patches(body: Any, profile: Any) -> None:
    _patch(body, profile)
