"""What clients write instead of the right filter, and around a request: values without quotes, media types, names of endpoints."""

from __future__ import annotations

from typing import Final

from lockstep.scim.errors import invalid_filter
from lockstep.scim.filters import And, Comparison, Filter, Not, Or, Present, ValuePath, parse_filter
from lockstep.scim.registry import ResourceDefinition, SchemaRegistry
from lockstep.scim.schema import Attribute
from lockstep.scim.target_values import typed_filter, typed_value

MEDIA_TYPES: Final = ("application/scim+json", "application/json")


def unquoted_filter_values(text: str) -> Filter:
    """`externalId eq jyoung` instead of `externalId eq "jyoung"`: Microsoft Entra's older jobs, scripts."""
    return parse_filter(text, lenient=True)


def quoted_booleans(filter: Filter, definition: ResourceDefinition) -> Filter:
    """`active eq "True"` for a boolean, `externalId eq 701984` for a text: Microsoft Entra, Okta expressions."""
    match filter:
        case Comparison(path, op, value):
            target = definition.find(path)
            leaf = _leaf(target.attribute, target.sub) if target is not None else None
            if leaf is None or value is None:
                return filter
            single = typed_value(value, leaf)
            return Comparison(path, op, single[0] if isinstance(single, list) else single)
        case Present():
            return filter
        case And(terms):
            return And(tuple(quoted_booleans(term, definition) for term in terms))
        case Or(terms):
            return Or(tuple(quoted_booleans(term, definition) for term in terms))
        case Not(term):
            return Not(quoted_booleans(term, definition))
        case ValuePath(path, inner, then):
            target = definition.find(path)
            if target is None or target.attribute is None:
                return filter
            after = typed_filter(then, target.attribute) if then is not None else None
            if not isinstance(after, (Comparison, Present, type(None))):
                raise invalid_filter(f"{path} is followed by what cannot be compared.")
            return ValuePath(path, typed_filter(inner, target.attribute), after)


def other_media_type(content_type: str) -> bool:
    """No content type, `text/json`, `application/json+scim`: FusionAuth's and Entra's older clients, curl users."""
    media_type = content_type.split(";")[0].strip().lower()
    return media_type in ("", "text/json", "text/plain", "application/json+scim", "application/x-www-form-urlencoded")


def lower_case_endpoint(segment: str, registry: SchemaRegistry) -> ResourceDefinition | None:
    """`/users` instead of `/Users`: JumpCloud, OneLogin, people."""
    return registry.at_endpoint(segment)


def _leaf(attribute: Attribute | None, sub: Attribute | None) -> Attribute | None:
    if sub is not None or attribute is None or not attribute.is_complex:
        return sub or attribute
    return attribute.sub("value")
