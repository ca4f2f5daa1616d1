"""Compile one comparison of a filter to a test of a single value. The test depends on the type of the attribute.

Texts are compared without regard to case, unless the attribute is caseExact. Booleans and binary values have no order.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from lockstep.scim.errors import invalid_filter
from lockstep.scim.filters import Comparison, FilterValue
from lockstep.scim.schema import Attribute
from lockstep.scim.values import read_datetime

ValueTest = Callable[[Any], bool]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "co": lambda value, wanted: wanted in value,
    "sw": lambda value, wanted: value.startswith(wanted),
    "ew": lambda value, wanted: value.endswith(wanted),
}


def comparison_test(comparison: Comparison, attribute: Attribute, *, lenient: bool) -> ValueTest:
    """Return a function that tests one value; the value must not be null. Raises ScimError("invalidFilter") if the types cannot be
    compared.
    """
    wanted = operand(comparison, attribute, lenient=lenient)
    op = comparison.op
    if wanted is None:
        return lambda value: op == "ne"
    if attribute.type == "dateTime" and op in _ORDER:
        return _datetime_test(op, str(wanted))
    if attribute.type in ("integer", "decimal", "boolean"):
        compare = _ORDER[op]
        return lambda value: isinstance(value, (int, float)) and compare(value, wanted)
    return _text_test(op, str(wanted), exact=attribute.case_exact)


def operand(comparison: Comparison, attribute: Attribute, *, lenient: bool) -> FilterValue:
    """Return the value that the filter compares with, converted to the attribute's type. Stores that compile filters to SQL use this
    function too.
    """
    value, op, kind = comparison.value, comparison.op, attribute.type
    if value is None:
        if op not in ("eq", "ne"):
            raise invalid_filter(f"{comparison.path} {op} null is not valid: use null only with eq and ne.")
        return None
    if kind in ("boolean", "binary") and op not in ("eq", "ne"):
        raise invalid_filter(f"{comparison.path} is {kind} and has no order: use eq or ne.")
    if kind in ("integer", "decimal") and op in _TEXT:
        raise invalid_filter(f"{comparison.path} is a number: {op} works only on strings.")
    if kind == "boolean":
        return _boolean(comparison, value, lenient=lenient)
    if kind in ("integer", "decimal"):
        return _number(comparison, value, lenient=lenient)
    if not isinstance(value, str):
        if lenient:
            return str(value).lower() if isinstance(value, bool) else str(value)
        raise invalid_filter(f"{comparison.path} is a string: put the value in quotes.")
    if kind == "dateTime" and op in _ORDER and read_datetime(value) is None:
        raise invalid_filter(f"{comparison.path} must be compared with a date and time such as 2026-01-31T08:30:00Z.")
    return value


def _boolean(comparison: Comparison, value: FilterValue, *, lenient: bool) -> bool:
    if isinstance(value, bool):
        return value
    if lenient and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise invalid_filter(f"{comparison.path} is boolean: write true or false, without quotes.")


def _number(comparison: Comparison, value: FilterValue, *, lenient: bool) -> int | float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if lenient and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise invalid_filter(f"{comparison.path} is a number: write it without quotes.")


def _datetime_test(op: str, wanted: str) -> ValueTest:
    compare, moment = _ORDER[op], read_datetime(wanted)

    def test(value: Any) -> bool:
        found = read_datetime(value) if isinstance(value, str) else None
        return found is not None and compare(found, moment)

    return test


def _text_test(op: str, wanted: str, *, exact: bool) -> ValueTest:
    compare = _ORDER.get(op) or _TEXT[op]
    if exact:
        return lambda value: isinstance(value, str) and compare(value, wanted)
    folded = wanted.casefold()
    return lambda value: isinstance(value, str) and compare(value.casefold(), folded)
