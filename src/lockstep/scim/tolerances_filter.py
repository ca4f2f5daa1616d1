"""Tolerances for filters and requests, one function each: values without quotes, media types, names of endpoints.

Each docstring says what clients send, what the RFC requires, and which clients do it. Administrators see its first paragraph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from lockstep.scim.filters import And, Comparison, Filter, Not, Or, Present, ValuePath, parse_filter
from lockstep.scim.names import AttributePath
from lockstep.scim.paths import parse_path
from lockstep.scim.registry import ResourceDefinition, SchemaRegistry
from lockstep.scim.schema import Attribute
from lockstep.scim.target_values import typed_filter, typed_value

Leaf = Comparison | Present | ValuePath

MEDIA_TYPES: Final = ("application/scim+json", "application/json")


def unquoted_filter_values(text: str) -> Filter:
    """`externalId eq jyoung` or `eq 'jyoung'` instead of `eq "jyoung"`: Microsoft Entra's older jobs, scripts, word processors."""
    return parse_filter(text, lenient=True)


def quoted_booleans(filter: Filter, definition: ResourceDefinition) -> Filter:
    """`active eq "True"` for a boolean, `externalId eq 701984` for a string: Microsoft Entra, Okta expressions."""

    def typed(leaf: Leaf) -> Filter:
        target = definition.find(leaf.path)
        if target is None or target.attribute is None or isinstance(leaf, Present):
            return leaf
        if isinstance(leaf, Comparison):
            return _typed_comparison(leaf, target.attribute, target.sub)
        then = typed_filter(leaf.then, target.attribute) if leaf.then is not None else None
        kept = then if isinstance(then, (Comparison, Present)) else leaf.then
        return ValuePath(leaf.path, typed_filter(leaf.filter, target.attribute), kept)

    return _with_leaves(filter, typed)


def extension_without_urn(filter: Filter, definition: ResourceDefinition) -> Filter:
    """`manager eq "<id>"` instead of `urn:...:User:manager eq "<id>"`: Microsoft Entra's check of references."""

    def qualified(leaf: Leaf) -> Filter:
        if leaf.path.schema or definition.attribute(leaf.path.name) is not None:
            return leaf
        urns = [s.id for s in definition.extensions.values() if definition.attribute(leaf.path.name, s.id) is not None]
        return replace(leaf, path=replace(leaf.path, schema=urns[0])) if len(urns) == 1 else leaf

    return _with_leaves(filter, qualified)


def other_media_type(content_type: str) -> bool:
    """A missing content type, or one such as `text/json` or `application/json+scim`: FusionAuth's and Entra's older clients, curl users."""
    media_type = content_type.split(";")[0].strip().lower()
    return media_type in ("", "text/json", "text/plain", "application/json+scim", "application/x-www-form-urlencoded")


def lower_case_endpoint(segment: str, registry: SchemaRegistry) -> ResourceDefinition | None:
    """`/users` instead of `/Users`: Microsoft Entra, JumpCloud, OneLogin, people."""
    return registry.at_endpoint(segment)


def value_paths_as_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """`attributes=emails[type eq "work"].value` instead of `attributes=emails`: Microsoft Entra. All e-mail addresses are returned."""
    if not any("[" in name for name in names):
        return names
    paths = [parse_path(name, lenient=True) if "[" in name else None for name in names]
    shown = (
        str(AttributePath(path.attribute, "", path.schema)) if path else name
        for name, path in zip(names, paths, strict=True)
    )
    return tuple(dict.fromkeys(shown))


def _with_leaves(filter: Filter, change: Callable[[Leaf], Filter]) -> Filter:
    match filter:
        case And(terms):
            return And(tuple(_with_leaves(term, change) for term in terms))
        case Or(terms):
            return Or(tuple(_with_leaves(term, change) for term in terms))
        case Not(term):
            return Not(_with_leaves(term, change))
        case _:
            return change(filter)


def _typed_comparison(comparison: Comparison, attribute: Attribute, sub: Attribute | None) -> Comparison:
    leaf = sub or (attribute.sub("value") if attribute.is_complex else attribute)
    if leaf is None or comparison.value is None:
        return comparison
    value = typed_value(comparison.value, leaf)
    return replace(comparison, value=value[0] if isinstance(value, list) else value)
