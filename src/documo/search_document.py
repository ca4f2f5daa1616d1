"""Build the search document of a resource, with which filters are compared. It is the resource with every string folded according to its
schema's rules for comparison.

Strings are folded in Python and never in SQL, because conversion to lower case depends on the locale in PostgreSQL, but not in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from documo.user_names import is_user_name, key_of
from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.schema import Attribute
from lockstep.scim.values import read_datetime

# Kept in separate columns or rows, so that changing them does not touch the index of values.
ELSEWHERE = frozenset(("schemas", "id", "meta", "active", "groups", "members", "password"))

_Fold = Callable[[Any], Any]


def search_document(document: Mapping[str, Any], definition: ResourceDefinition) -> dict[str, Any]:
    """Return the searchable part of a stored resource."""
    folds = _folds(definition)
    result = {}
    for name, value in document.items():
        fold = folds.get(name)
        if fold is not None:
            result[name] = fold(value)
    return result


def fold_text(value: str, attribute: Attribute) -> str:
    """Return one string in the form that the search document has. The value in a filter is folded in the same way."""
    if attribute.type == "dateTime":
        moment = read_datetime(value)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else value
    if is_user_name(attribute):
        return key_of(value)
    return value if attribute.case_exact else value.casefold()


@lru_cache(maxsize=256)
def _folds(definition: ResourceDefinition) -> dict[str, _Fold]:
    folds = {a.name: _fold_of(a) for a in definition.attributes if a.name not in ELSEWHERE and a.returned != "never"}
    for extension in definition.extensions.values():
        folds[extension.id] = _fold_object({a.name: _fold_of(a) for a in extension.attributes if a.returned != "never"})
    return folds


def _fold_of(attribute: Attribute) -> _Fold:
    single = (
        _fold_object({sub.name: _fold_of(sub) for sub in attribute.sub_attributes})
        if attribute.is_complex
        else _leaf(attribute)
    )
    return (
        (lambda value: [single(item) for item in value] if isinstance(value, list) else single(value))
        if attribute.multi_valued
        else single
    )


def _fold_object(folds: Mapping[str, _Fold]) -> _Fold:
    def fold(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: folds[name](item) for name, item in value.items() if name in folds}

    return fold


def _leaf(attribute: Attribute) -> _Fold:
    if attribute.type == "dateTime":
        return lambda value: fold_text(value, attribute) if isinstance(value, str) else value
    if attribute.case_exact or attribute.type in ("boolean", "integer", "decimal"):
        return lambda value: value
    fold = key_of if is_user_name(attribute) else str.casefold
    return lambda value: fold(value) if isinstance(value, str) else value
