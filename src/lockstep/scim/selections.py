"""Select values of an attribute by the filter in a path, and build the value that such a filter describes.

A filter that cannot be applied makes the path invalid, so it raises ScimError("invalidPath").
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from lockstep.scim.errors import ScimError, invalid_path
from lockstep.scim.filter_match import Predicate, compile_element_filter
from lockstep.scim.filters import And, Comparison, Filter, print_filter
from lockstep.scim.limits import CACHED_TEXT
from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.schema import Attribute


def selection_of(selection: Filter, definition: ResourceDefinition, urn: str, attribute: Attribute) -> Predicate:
    """Return a predicate that tests whether the filter selects a value. Predicates for short filters are cached."""
    try:
        if len(print_filter(selection)) > CACHED_TEXT:
            return _compile(selection, definition, urn, attribute.name)
        return _compiled(selection, definition, urn, attribute.name)
    except ScimError as error:
        raise invalid_path(error.detail, attribute.name) from None


def element_described_by(selection: Filter, attribute: Attribute) -> dict[str, Any] | None:
    """Build the value that a filter such as `type eq "work"` or `type eq "work" and primary eq true` describes.

    Returns None for any other kind of filter.
    """
    comparisons = selection.terms if isinstance(selection, And) else (selection,)
    element: dict[str, Any] = {}
    for comparison in comparisons:
        if not isinstance(comparison, Comparison) or comparison.op != "eq" or comparison.value is None:
            return None
        sub = attribute.sub(comparison.path.name)
        if sub is None or sub.name in element:
            return None
        element[sub.name] = comparison.value
    return element


@lru_cache(maxsize=512)
def _compiled(selection: Filter, definition: ResourceDefinition, urn: str, name: str) -> Predicate:
    return _compile(selection, definition, urn, name)


def _compile(selection: Filter, definition: ResourceDefinition, urn: str, name: str) -> Predicate:
    attribute = definition.attribute(name, urn)
    if attribute is None:
        raise invalid_path(f"{name} is not an attribute of {definition.type.name}.", name)
    return compile_element_filter(selection, attribute)
