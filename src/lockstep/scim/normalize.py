"""Correct known mistakes of clients, if the tenant's profile tolerates them, and report which tolerances were applied.

Nothing is guessed. Each tolerance is a function with a name, and its docstring says which clients need it. The profile `strict`
allows none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from lockstep.scim.errors import ScimError
from lockstep.scim.filters import Filter, parse_filter
from lockstep.scim.limits import CACHED_TEXT
from lockstep.scim.messages import SearchRequest
from lockstep.scim.operations import PATCH_URN, Operation, raw_operations, read_operation, read_operations
from lockstep.scim.profiles import Profile
from lockstep.scim.registry import ResourceDefinition, SchemaRegistry
from lockstep.scim.tolerances_filter import (
    MEDIA_TYPES,
    extension_without_urn,
    lower_case_endpoint,
    other_media_type,
    quoted_booleans,
    unquoted_filter_values,
    value_paths_as_names,
)
from lockstep.scim.tolerances_patch import OPERATION_TOLERANCES, RAW_TOLERANCES
from lockstep.scim.tolerances_resource import RESOURCE_TOLERANCES
from lockstep.scim.tolerances_values import VALUE_TOLERANCES, ValueTolerance, forgive_value


class NormalizedPatch(NamedTuple):
    """Corrected operations for `split_member_operations` and `apply_patch`, and the sorted names of the tolerances that were
    applied.
    """

    operations: list[Operation]
    applied: tuple[str, ...]


class NormalizedResource(NamedTuple):
    """A corrected body for `validate_resource`, and the sorted names of the tolerances that were applied."""

    resource: Any
    applied: tuple[str, ...]


class NormalizedFilter(NamedTuple):
    """A filter whose values have the types of the schema, and the sorted names of the tolerances that were applied."""

    filter: Filter
    applied: tuple[str, ...]


def normalize_patch(body: Any, profile: Profile, definition: ResourceDefinition) -> NormalizedPatch:
    """Read the operations of a PatchOp body, and correct them so that they follow the RFC. Raises ScimError for mistakes that the
    profile does not tolerate.
    """
    if not profile.tolerances:
        return _as_it_is(body, definition)
    applied: set[str] = set()
    items = raw_operations(body, any_case=True)
    if incomplete_envelope(body):
        if not profile.allows("incomplete_envelope"):
            return _as_it_is(body, definition)
        applied.add("incomplete_envelope")
    tolerances = _value_tolerances(profile)
    operations = [
        _with_forgiven_value(operation, definition, tolerances, applied)
        for item in items
        for operation in _forgiven(
            _unwrapped(_read_item(item, profile, definition, applied), definition), profile, definition, applied
        )
    ]
    return NormalizedPatch(operations, tuple(sorted(applied)))


def normalize_resource(body: Any, profile: Profile, definition: ResourceDefinition) -> NormalizedResource:
    """Correct the body of a create or replace so that it follows the RFC. Mistakes that the profile does not tolerate are left for
    `validate_resource`.
    """
    if not isinstance(body, dict):
        return NormalizedResource(body, ())
    body = _without_core_container(body, definition)
    if not profile.tolerances:
        return NormalizedResource(body, ())
    applied: set[str] = set()
    right: Mapping[str, Any] = body
    for tolerance in RESOURCE_TOLERANCES:
        if profile.allows(tolerance.__name__):
            before, right = right, tolerance(right, definition)
            if right is not before:
                applied.add(tolerance.__name__)
    result = _forgive_object(right, "", definition, _value_tolerances(profile), applied)
    return NormalizedResource(result, tuple(sorted(applied)))


def normalize_filter(text: str, profile: Profile, definition: ResourceDefinition) -> NormalizedFilter:
    """Parse a filter and convert its values to the types of the schema. Results for short filters are cached.

    Raises ScimError("invalidFilter") for mistakes that the profile does not tolerate.
    """
    if len(text) > CACHED_TEXT:
        return _normalized_filter(text, profile, definition)
    return _filter_cached(text, profile, definition)


@lru_cache(maxsize=1024)
def _filter_cached(text: str, profile: Profile, definition: ResourceDefinition) -> NormalizedFilter:
    return _normalized_filter(text, profile, definition)


def _normalized_filter(text: str, profile: Profile, definition: ResourceDefinition) -> NormalizedFilter:
    applied: set[str] = set()
    try:
        tree = parse_filter(text)
    except ScimError:
        if not profile.allows("unquoted_filter_values"):
            raise
        tree = unquoted_filter_values(text)
        applied.add("unquoted_filter_values")
    for tolerance in (extension_without_urn, quoted_booleans):
        right = tolerance(tree, definition) if profile.allows(tolerance.__name__) else tree
        if right != tree:
            applied.add(tolerance.__name__)
            tree = right
    return NormalizedFilter(tree, tuple(sorted(applied)))


def _as_it_is(body: Any, definition: ResourceDefinition) -> NormalizedPatch:
    return NormalizedPatch([_unwrapped(one, definition) for one in read_operations(body)], ())


def _without_core_container(value: Any, definition: ResourceDefinition) -> Any:
    """Move attributes to the top level if the client nested them under the URN of the core schema, as if that schema were an
    extension.
    """
    if not isinstance(value, dict):
        return value
    urn = definition.schema.id.lower()
    own = next((name for name, item in value.items() if name.lower() == urn and isinstance(item, dict)), None)
    return value if own is None else {**{name: value[name] for name in value if name != own}, **value[own]}


def _unwrapped(operation: Operation, definition: ResourceDefinition) -> Operation:
    path = operation.path
    if path is not None and path.filter is None and str(path.name).lower() == definition.schema.id.lower():
        path = None
    value = _without_core_container(operation.value, definition) if path is None else operation.value
    unchanged = path is operation.path and value is operation.value
    return operation if unchanged else replace(operation, path=path, value=value)


def normalize_search(search: SearchRequest, profile: Profile) -> tuple[SearchRequest, tuple[str, ...]]:
    """Correct the lists of included and excluded attributes in *search*. Return the search and the names of the applied tolerances.

    Mistakes that the profile does not tolerate are left for `projection`.
    """
    if not profile.allows("value_paths_as_names"):
        return search, ()
    wanted, excluded = value_paths_as_names(search.attributes), value_paths_as_names(search.excluded)
    if wanted == search.attributes and excluded == search.excluded:
        return search, ()
    return replace(search, attributes=wanted, excluded=excluded), ("value_paths_as_names",)


def media_type_is_accepted(content_type: str, profile: Profile) -> bool:
    """Whether a body with this content type is accepted. Parameters such as charset are ignored (RFC 7644, section 8.1)."""
    if content_type.split(";")[0].strip().lower() in MEDIA_TYPES:
        return True
    return profile.allows("other_media_type") and other_media_type(content_type)


def definition_at(segment: str, profile: Profile, registry: SchemaRegistry) -> ResourceDefinition | None:
    """Return the resource type at the endpoint *segment*, or None. The spelling must be exact unless the profile tolerates other
    spellings.
    """
    found = lower_case_endpoint(segment, registry)
    if found is None or found.type.endpoint.strip("/") == segment or profile.allows("lower_case_endpoint"):
        return found
    return None


def incomplete_envelope(body: Any) -> bool:
    """A PATCH body without `schemas`, or with `operations` instead of `Operations`: JumpCloud, OneLogin, Python scripts."""
    schemas = body.get("schemas")
    return "Operations" not in body or not isinstance(schemas, list) or PATCH_URN not in schemas


def _read_item(
    item: Mapping[str, Any], profile: Profile, definition: ResourceDefinition, applied: set[str]
) -> Operation:
    for tolerance in RAW_TOLERANCES:
        if profile.allows(tolerance.__name__):
            right = tolerance(item, definition)
            if right is not item:
                applied.add(tolerance.__name__)
                item = right
    try:
        return read_operation(item)
    except ScimError as error:
        if error.scim_type != "invalidPath" or not profile.allows("unquoted_filter_values"):
            raise
        operation = read_operation(item, lenient=True)
        applied.add("unquoted_filter_values")
        return operation


def _forgiven(
    operation: Operation, profile: Profile, definition: ResourceDefinition, applied: set[str]
) -> list[Operation]:
    operations = [operation]
    for tolerance in OPERATION_TOLERANCES:
        if not profile.allows(tolerance.__name__):
            continue
        following: list[Operation] = []
        for item in operations:
            right = tolerance(item, definition)
            if right is not item:
                applied.add(tolerance.__name__)
            following += right if isinstance(right, list) else [right]
        operations = following
    return operations


def _with_forgiven_value(
    operation: Operation, definition: ResourceDefinition, tolerances: tuple[ValueTolerance, ...], applied: set[str]
) -> Operation:
    value, path = operation.value, operation.path
    if value is None or operation.op == "remove":
        return operation
    if path is None or (target := definition.find(path.name)) is None:
        urn = ""
    elif target.attribute is None:
        urn = target.urn
    else:
        leaf = target.leaf or target.attribute
        # An empty string means no values, in a PATCH as in a create.
        listed = leaf.multi_valued and path.filter is None and (isinstance(value, list) or value == "")
        value = forgive_value(value, leaf, listed=listed, tolerances=tolerances, applied=applied)
        return operation if value is operation.value else replace(operation, value=value)
    if not isinstance(value, dict):
        return operation
    return replace(operation, value=_forgive_object(value, urn, definition, tolerances, applied))


def _forgive_object(
    value: Mapping[str, Any],
    urn: str,
    definition: ResourceDefinition,
    tolerances: tuple[ValueTolerance, ...],
    applied: set[str],
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, item in value.items():
        attribute = definition.attribute(name, urn)
        extension = None if urn else definition.extension(name)
        if attribute is not None and item is not None:
            item = forgive_value(item, attribute, listed=attribute.multi_valued, tolerances=tolerances, applied=applied)
        elif extension is not None and isinstance(item, dict):
            item = _forgive_object(item, extension.id, definition, tolerances, applied)
        result[name] = item
    return result


@lru_cache(maxsize=64)
def _value_tolerances(profile: Profile) -> tuple[ValueTolerance, ...]:
    return tuple(tolerance for tolerance in VALUE_TOLERANCES if profile.allows(tolerance.__name__))


def describe_tolerance(name: str) -> str:
    """Return a sentence for administrators that describes a tolerance and the clients that need it. Returns "" for an unknown name."""
    function = _FUNCTIONS.get(name)
    return (function.__doc__ or "").split("\n\n")[0].strip() if function else ""


_TOLERANCES: tuple[Callable[..., Any], ...] = (
    *RESOURCE_TOLERANCES,
    *RAW_TOLERANCES,
    *OPERATION_TOLERANCES,
    *VALUE_TOLERANCES,
    incomplete_envelope,
    unquoted_filter_values,
    quoted_booleans,
    other_media_type,
    lower_case_endpoint,
    value_paths_as_names,
)
_FUNCTIONS = {function.__name__: function for function in _TOLERANCES}
