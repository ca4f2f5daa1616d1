"""Derive a JSON fragment from a filter: if a resource matches the filter, its search document contains the fragment. An index can therefore
preselect candidates.

A fragment from one part of the filter is sufficient, because the whole filter is then checked for each candidate.
"""

from __future__ import annotations

from typing import Any

from documo.scim_service.search.conditions import element_leaf, folded, leaf_of
from lockstep.scim.comparisons import operand
from lockstep.scim.filters import And, Comparison, Filter, ValuePath
from lockstep.scim.registry import PathTarget, ResourceDefinition
from lockstep.scim.schema import Attribute

# These attributes have their own columns or rows and are searched there.
_ELSEWHERE = frozenset(
    ("schemas", "id", "meta", "active", "groups", "members", "password", "externalId", "userName", "displayName")
)


def necessary_content(filter: Filter, definition: ResourceDefinition, *, lenient: bool) -> dict[str, Any] | None:
    """Return a fragment that is in the search document of every resource that matches *filter*, or None if no fragment can be derived.

    The fragment is derived from one positive `eq`, or from all `eq` comparisons in one value filter such as `emails[type eq "work" and
    value eq "a@b.example"]`.
    """
    match filter:
        case Comparison(path, "eq", value) if value is not None:
            target = definition.find(path)
            return _containment(target, filter, lenient=lenient) if target else None
        case And(terms):
            return next(
                (found for term in terms if (found := necessary_content(term, definition, lenient=lenient))), None
            )
        case ValuePath(path, inner):
            target = definition.find(path)
            attribute = target.attribute if target else None
            if (
                target is None
                or attribute is None
                or not attribute.multi_valued
                or attribute.name in ("members", "groups")
            ):
                return None
            element = _element_containment(inner, attribute, lenient=lenient)
            return _nested(target, [element]) if element else None
        case _:
            return None


def _containment(target: PathTarget, comparison: Comparison, *, lenient: bool) -> dict[str, Any] | None:
    attribute = target.attribute
    if attribute is None or (not target.urn and attribute.name in _ELSEWHERE):
        return None
    _, sub = leaf_of(target, comparison)
    leaf = sub or attribute
    value = operand(comparison, leaf, lenient=lenient)
    if not isinstance(value, str):
        return None
    held: Any = folded(value, leaf)
    held = {sub.name: held} if sub is not None else held
    return _nested(target, [held] if attribute.multi_valued else held)


def _element_containment(filter: Filter, attribute: Attribute, *, lenient: bool) -> dict[str, Any] | None:
    terms = filter.terms if isinstance(filter, And) else (filter,)
    held: dict[str, Any] = {}
    for term in terms:
        if isinstance(term, Comparison) and term.op == "eq" and term.value is not None and attribute.is_complex:
            sub, leaf = element_leaf(term.path, attribute)
            value = operand(term, leaf, lenient=lenient)
            if sub is not None and isinstance(value, str):
                held[sub.name] = folded(value, leaf)
    return held or None


def _nested(target: PathTarget, held: Any) -> dict[str, Any]:
    name = target.attribute.name if target.attribute else ""
    return {target.urn: {name: held}} if target.urn else {name: held}
