"""The properties of one attribute of the application: type, required, case-exact, filterable, multi-valued.

The type of a path that is not in an attribute list comes from the SCIM schema. A path that no schema declares is a string.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from lockstep.engine.records import ObjectKind
from lockstep.scim.errors import ScimError
from lockstep.scim.registry import default_registry
from lockstep.scim.target_values import resolve_path


class AttributeType(StrEnum):
    """The types of attributes, by Entra's names."""

    STRING = "String"
    BOOLEAN = "Boolean"
    INTEGER = "Integer"
    DATE_TIME = "DateTime"
    REFERENCE = "Reference"
    BINARY = "Binary"


@dataclass(frozen=True, slots=True)
class TargetAttribute:
    """An attribute of the application. *name* is a target path as in mappings. If *case_exact* is true, a change of letter case alone is
    written.
    """

    name: str
    type: AttributeType = AttributeType.STRING
    required: bool = False
    case_exact: bool = True
    filterable: bool = False
    multi_valued: bool = False


_TYPES = {
    "boolean": AttributeType.BOOLEAN,
    "integer": AttributeType.INTEGER,
    "dateTime": AttributeType.DATE_TIME,
    "binary": AttributeType.BINARY,
}
# References to other objects, which the schema declares as complex values.
_REFERENCES = frozenset({"manager", "manager.value", "members"})


def attribute_named(
    path: str, kind: ObjectKind, known: Sequence[TargetAttribute] = (), *, is_matching: bool = False
) -> TargetAttribute:
    """Return the description of the attribute at *path*: from *known*, otherwise from the SCIM schema. An attribute that is in neither of
    the two is plain text.
    """
    folded = path.lower()
    for attribute in known:
        if attribute.name.lower() == folded:
            return attribute
    return _from_schema(path, kind, is_matching)


def is_declared(path: str, kind: ObjectKind, known: Sequence[TargetAttribute] = ()) -> bool:
    """Whether the attribute list or the SCIM schema declares *path*. If neither does, only the mapping of the path describes it."""
    if any(attribute.name.lower() == path.lower() for attribute in known):
        return True
    try:
        return resolve_path(path, default_registry().resource(kind.value)).leaf is not None
    except ScimError:
        return False


def says_more(attribute: TargetAttribute, kind: ObjectKind, *, is_matching: bool) -> bool:
    """Whether a configuration must list *attribute*, because its properties differ from those in the SCIM schema."""
    usual = attribute_named(attribute.name, kind, is_matching=is_matching)
    return (attribute.type, attribute.required, attribute.case_exact, attribute.multi_valued) != (
        usual.type,
        usual.required,
        usual.case_exact,
        usual.multi_valued,
    )


@lru_cache(maxsize=1024)
def _from_schema(path: str, kind: ObjectKind, is_matching: bool) -> TargetAttribute:
    # Applications fold the case of user names and matching values, so a change of case alone would be written in every cycle.
    exact = not is_matching and path.lower() != "username"
    required = path.lower() == ("username" if kind is ObjectKind.USER else "displayname")
    try:
        resolved = resolve_path(path, default_registry().resource(kind.value))
    except ScimError:
        return TargetAttribute(path, required=required, case_exact=exact, filterable=is_matching)
    leaf = resolved.leaf
    name = resolved.path.attribute + (f".{resolved.path.sub}" if resolved.path.sub else "")
    if name in _REFERENCES:
        return TargetAttribute(path, AttributeType.REFERENCE, multi_valued=name == "members")
    kind_of_value = _TYPES.get(leaf.type, AttributeType.STRING) if leaf else AttributeType.STRING
    # A filter selects one value, however many values the attribute has.
    several = leaf is not None and leaf.multi_valued and resolved.path.filter is None
    return TargetAttribute(
        path, kind_of_value, required=required, case_exact=exact, filterable=is_matching, multi_valued=several
    )
