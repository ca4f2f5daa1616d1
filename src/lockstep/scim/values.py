"""Check a single value against its attribute, and return it with the spelling of the schema.

A checker returns None for a value that counts as unassigned: null, an empty list, or an object without content (RFC 7643,
section 2.5).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Hashable, Sized
from datetime import UTC, datetime
from typing import Any

from lockstep.scim.errors import ScimError, invalid_value
from lockstep.scim.limits import MAX_VALUES
from lockstep.scim.schema import Attribute

Checker = Callable[[Any], Any]

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?\Z", re.ASCII)


def read_datetime(text: str) -> datetime | None:
    """Parse an xsd:dateTime and return an aware UTC time, or None if *text* is invalid. A time without a zone is taken as UTC."""
    if not _DATE_TIME.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def copy_json(value: Any) -> Any:
    """Return a deep copy of parsed JSON."""
    if type(value) is dict:
        return {key: copy_json(item) for key, item in value.items()}
    if type(value) is list:
        return [copy_json(item) for item in value]
    return value


def checker_of(attribute: Attribute, place: str, *, drop_unknown: bool) -> Checker:
    """Compile the check of an attribute. For a multi-valued attribute, the check covers the whole list of values."""
    single = single_checker_of(attribute, place, drop_unknown=drop_unknown)
    if not attribute.multi_valued:
        return single
    has_primary = attribute.sub("primary") is not None

    def check_list(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise invalid_value(f"{place} has several values: send a list.", place)
        if attribute.name != "members":
            check_count(value, place)
        distinct: dict[Hashable, Any] = {}
        for item in value:
            checked = single(item)
            if checked is not None:
                distinct.setdefault(exact_key(checked), checked)
        result = list(distinct.values())
        if has_primary:
            check_one_primary(result, place)
        return result or None

    return check_list


def single_checker_of(attribute: Attribute, place: str, *, drop_unknown: bool) -> Checker:
    """Compile the check of one value of an attribute."""
    if attribute.is_complex:
        return _complex_checker(attribute, place, drop_unknown=drop_unknown)
    if attribute.type == "string" and attribute.canonical_values:
        return _canonical_checker(attribute, place)
    accepts, wanted = _SIMPLE[attribute.type]

    def check(value: Any) -> Any:
        if value is None or accepts(value):
            return value
        raise _wrong_type(place, wanted, value)

    return check


def exact_key(value: Any) -> Hashable:
    """Return a key for a JSON value. Equal values have equal keys."""
    if type(value) is dict:
        return frozenset((name, exact_key(item)) for name, item in value.items())
    if type(value) is list:
        return tuple(exact_key(item) for item in value)
    return value  # type: ignore[no-any-return]


def check_count(elements: Sized, place: str) -> None:
    """Raise ScimError if there are more values than one attribute may have."""
    if len(elements) > MAX_VALUES:
        raise invalid_value(f"{place} would have {len(elements)} values; the limit is {MAX_VALUES}.", place)


def check_one_primary(elements: list[Any], place: str) -> None:
    """Raise ScimError if more than one value is primary (RFC 7643, section 2.4)."""
    if sum(1 for element in elements if isinstance(element, dict) and element.get("primary") is True) > 1:
        raise invalid_value(f"{place} has two primary values: mark only one as primary.", place)


def _complex_checker(attribute: Attribute, place: str, *, drop_unknown: bool) -> Checker:
    subs = {
        sub.name: (
            sub.name,
            None if sub.read_only else checker_of(sub, f"{place}.{sub.name}", drop_unknown=drop_unknown),
        )
        for sub in attribute.sub_attributes
    }
    folded = {name.lower(): entry for name, entry in subs.items()}
    required = tuple(sub.name for sub in attribute.sub_attributes if sub.required and not sub.read_only)

    def check(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _wrong_type(place, "an object", value)
        result: dict[str, Any] = {}
        for name, item in value.items():
            entry = subs.get(name) or folded.get(name.lower())
            if entry is None:
                if drop_unknown:
                    continue
                raise unknown_attribute(f"{place}.{name}")
            declared, check_sub = entry
            if check_sub is None:
                continue
            if declared in result:
                raise invalid_value(f"{place}.{declared} occurs twice, in different spellings.", f"{place}.{declared}")
            checked = check_sub(item)
            if checked is not None:
                result[declared] = checked
        for name in required:
            if result and name not in result:
                raise invalid_value(f"{place}.{name} is required.", f"{place}.{name}")
        return result or None

    return check


def _canonical_checker(attribute: Attribute, place: str) -> Checker:
    declared = {} if attribute.case_exact else {value.lower(): value for value in attribute.canonical_values}

    def check(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, str):
            raise _wrong_type(place, "a string", value)
        return declared.get(value.lower(), value)

    return check


def unknown_attribute(place: str) -> ScimError:
    """Return the error for an attribute that no schema of the resource declares."""
    return invalid_value(
        f"{place[:200]} is not a known attribute: check the spelling against GET /Schemas.", place[:200]
    )


def _wrong_type(place: str, wanted: str, value: Any) -> ScimError:
    return invalid_value(f"{place} must be {wanted}, not {_describe(value)}.", place)


def _describe(value: Any) -> str:
    # Do not show the value: it may be a password in the wrong place.
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
    }
    return names.get(type(value), "an object")


def _is_base64(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        plain = value.replace("-", "+").replace("_", "/").encode("ascii")
        binascii.a2b_base64(plain + b"=" * (-len(plain) % 4), strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are both
        return False
    return True


_SIMPLE: dict[str, tuple[Callable[[Any], bool], str]] = {
    "string": (lambda value: isinstance(value, str), "a string"),
    "boolean": (lambda value: isinstance(value, bool), "true or false, without quotes"),
    "integer": (lambda value: type(value) is int, "a whole number, without quotes"),
    "decimal": (lambda value: type(value) in (int, float), "a number, without quotes"),
    "dateTime": (
        lambda value: isinstance(value, str) and read_datetime(value) is not None,
        "a date and time such as 2026-01-31T08:30:00Z",
    ),
    "reference": (lambda value: isinstance(value, str), "a URI"),
    "binary": (_is_base64, "base64"),
}
