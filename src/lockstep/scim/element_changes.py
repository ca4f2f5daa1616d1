"""Change the values of a multi-valued attribute: add values without duplicates, merge them, and keep at most one primary value.

Two values of the attribute count as equal if their sub-attributes `type` and `value` are equal (RFC 7643, section 2.4).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from lockstep.scim.errors import ScimError, invalid_value, mutability_error
from lockstep.scim.schema import Attribute
from lockstep.scim.values import exact_key


class Elements:
    """The values of a multi-valued attribute, to which values are being added. Equal values are found by key, so adding n values takes
    time in proportion to n.
    """

    def __init__(self, elements: Iterable[Any], attribute: Attribute) -> None:
        self.all: list[Any] = []
        self._attribute = attribute
        self._places: dict[Hashable, int] = {}  # key -> position in `all`
        for element in elements:
            self._append(element)

    def add(self, element: Any) -> Any:
        """Add *element*. If the list already contains an equal value, merge *element* into that value instead. Return the added or merged
        value.
        """
        places = [self._places[key] for key in self._keys(element) if key in self._places]
        if not places:
            self._append(element)
            return element
        place = min(places)
        other = self.all[place]
        if isinstance(other, dict) and other != element:
            if self._places.get(before := exact_key(other)) == place:
                del self._places[before]
            merge_element(other, element, self._attribute)
            self._note(place)
        return other

    def _append(self, element: Any) -> None:
        self.all.append(element)
        self._note(len(self.all) - 1)

    def _note(self, place: int) -> None:
        for key in self._keys(self.all[place]):
            self._places.setdefault(key, place)

    def _keys(self, element: Any) -> Iterator[Hashable]:
        yield exact_key(element)
        if not isinstance(element, dict):
            yield "plain", exact_key(_folded(element, self._attribute))
            return
        value, kind = self._attribute.sub("value"), self._attribute.sub("type")
        if value is not None and "value" in element:
            type_key = None if kind is None else exact_key(_folded(element.get("type"), kind))
            yield "same", type_key, exact_key(_folded(element["value"], value))


def merge_element(element: dict[str, Any], changes: dict[str, Any], attribute: Attribute) -> None:
    """Copy the sub-attributes in *changes* to *element*. Raises ScimError if an immutable sub-attribute would change."""
    for name, value in changes.items():
        sub = attribute.sub(name)
        if sub is not None:
            check_immutable(sub, element.get(name), value, f"{attribute.name}.{name}")
        element[name] = value


def settle_primary(elements: list[Any], written: list[Any], place: str) -> None:
    """Leave at most one value of *elements* primary. If several values are primary, the one that is also in *written* stays primary, and
    the others are unmarked (RFC 7644, section 3.5.2).

    Raises ScimError if several values are primary and *written* contains none of them, or more than one.
    """
    primaries = [e for e in elements if isinstance(e, dict) and e.get("primary") is True]
    if len(primaries) < 2:
        return
    new = [e for e in primaries if any(e is other for other in written)]
    if len(new) != 1:
        raise invalid_value(f"{place} would have two primary values: mark only one as primary.", place)
    for element in primaries:
        if element is not new[0]:
            element["primary"] = False


def says_primary(value: dict[str, Any]) -> bool:
    """Whether *value*, as a client sent it, has `primary` set to true. The key may have any letter case."""
    return any(item is True for name, item in value.items() if name.lower() == "primary")


def only_value(value: Any, place: str) -> Any:
    """Return the single value that a client gave for a filtered path. *value* is the single value itself, or a list with one value. Raises
    ScimError for any other list.
    """
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise invalid_value(f"{place} with a filter takes one value, not a list.", place)
    return value[0]


def check_immutable(attribute: Attribute, old: Any, new: Any, place: str) -> None:
    """Raise ScimError for a change that is not permitted: an immutable attribute must keep its value, and a required attribute cannot be
    removed.
    """
    if attribute.required and new is None:
        raise _required(place)
    if attribute.mutability == "immutable" and old is not None and new != old:
        raise mutability_error(f"{place} is immutable: it keeps the value that it was created with.", place)


def _required(place: str) -> ScimError:
    return mutability_error(f"{place} is required and cannot be removed.", place)


def _folded(value: Any, attribute: Attribute) -> Any:
    return value if attribute.case_exact or not isinstance(value, str) else value.casefold()
