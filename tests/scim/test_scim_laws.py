"""Laws that hold for every filter, path, resource and patch."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lockstep.scim.errors import ScimError
from lockstep.scim.filters import MAX_DEPTH, MAX_TERMS, Filter, parse_filter, print_filter
from lockstep.scim.operations import patch_body, read_operations
from lockstep.scim.patch import apply_patch
from lockstep.scim.patch_build import CLEAR, MISSING, build_patch, patch_operations, read_path, to_resource
from lockstep.scim.patch_difference import same_content
from lockstep.scim.paths import Path, parse_path
from lockstep.scim.projection import projection
from lockstep.scim.validate import validate_resource
from tests.scim.scim_cases import ENTERPRISE, USER, filters, scim_paths, users, words

FAST = settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))

attribute_lists = st.lists(
    st.sampled_from(["userName", "name", "name.givenName", "emails.value", "emails", "active", ENTERPRISE, "id", "x"]),
    max_size=3,
).map(tuple)
target_values = st.fixed_dictionaries(
    {},
    optional={
        "displayName": words,
        "name.givenName": words,
        'emails[type eq "work"].value': words,
        'emails[type eq "home"].value': words,
        'phoneNumbers[type eq "mobile"].value': words,
        'phoneNumbers[type eq "mobile"].display': words,
        'roles[primary eq "True"].value': words,
        "active": st.sampled_from(["True", "False", True, False]),
        f"{ENTERPRISE}:department": words,
        f"{ENTERPRISE}:manager": words,
    },
)


@FAST
@given(filters)
def test_printing_and_parsing_a_filter_gives_the_same_tree(tree: Filter) -> None:
    text = print_filter(tree)

    assert parse_filter(text) == tree


@FAST
@given(scim_paths)
def test_printing_and_parsing_a_path_gives_the_same_path(path: Path) -> None:
    assert parse_path(str(path)) == path


@FAST
@given(users(), users())
def test_applying_the_built_patch_gives_the_wanted_resource(before: dict[str, Any], after: dict[str, Any]) -> None:
    operations = build_patch(before, after, USER)

    assume(operations)
    result = apply_patch(before, read_operations(patch_body(operations)), USER)
    assert same_content(result.resource, after)


@FAST
@given(users())
def test_the_patch_between_equal_resources_is_empty(resource: dict[str, Any]) -> None:
    assert build_patch(resource, resource, USER) == []


@FAST
@given(users(), users())
def test_applying_a_patch_twice_changes_nothing_more(before: dict[str, Any], after: dict[str, Any]) -> None:
    operations = [operation for operation in build_patch(before, after, USER) if operation["op"] == "replace"]
    assume(operations)
    once = apply_patch(before, read_operations(patch_body(operations)), USER).resource

    twice = apply_patch(once, read_operations(patch_body(operations)), USER)

    assert not twice.changed


@FAST
@given(users(), attribute_lists, st.booleans())
def test_projecting_twice_is_projecting_once(resource: dict[str, Any], chosen: tuple[str, ...], exclude: bool) -> None:
    choose = projection(USER, excluded=chosen) if exclude else projection(USER, attributes=chosen)

    once = choose(resource)

    assert choose(once) == once


@FAST
@given(users())
def test_validating_what_is_valid_changes_nothing(resource: dict[str, Any]) -> None:
    assert validate_resource(resource, USER) == resource


@FAST
@given(target_values)
def test_a_created_resource_reads_back_at_every_target_path(values: dict[str, Any]) -> None:
    resource = validate_resource(to_resource({"userName": "a", **values}, USER), USER)

    assert {path: read_path(resource, path) for path in values} == {
        path: value == "True" if value in ("True", "False") else value for path, value in values.items()
    }


@FAST
@given(users(), target_values, st.data())
def test_patch_operations_reach_every_wanted_value(
    current: dict[str, Any], values: dict[str, Any], data: st.DataObject
) -> None:
    cleared = data.draw(st.sets(st.sampled_from(sorted(values)))) if values else set()
    changes = {path: CLEAR if path in cleared else value for path, value in values.items()}
    operations = patch_operations(changes, current)
    assume(operations)

    try:
        result = apply_patch(current, read_operations(patch_body(operations)), USER).resource
    except ScimError as error:
        # Two values may not both be the primary one; nothing else can go wrong.
        assert error.scim_type == "invalidValue"
        return

    for path, value in changes.items():
        if value is CLEAR:
            continue
        assert read_path(result, path) == ({"True": True, "False": False}.get(value, value))
    for path in cleared:
        if not any(path.split("[")[0] == other.split("[")[0] for other in set(changes) - cleared):
            assert read_path(result, path) is MISSING or "[" in path


def test_a_filter_may_nest_sixteen_deep_and_no_deeper() -> None:
    deep = "(" * (MAX_DEPTH - 1) + "a pr" + ")" * (MAX_DEPTH - 1)

    parse_filter(deep)
    try:
        parse_filter(f"({deep})")
    except ScimError as error:
        assert error.scim_type == "invalidFilter"
    else:
        raise AssertionError("a filter of depth 17 was read")


def test_a_filter_may_compare_fifty_times_and_no_more() -> None:
    parse_filter(" or ".join(["a pr"] * MAX_TERMS))
    try:
        parse_filter(" or ".join(["a pr"] * (MAX_TERMS + 1)))
    except ScimError as error:
        assert error.scim_type == "invalidFilter"
    else:
        raise AssertionError("a filter of 51 comparisons was read")
