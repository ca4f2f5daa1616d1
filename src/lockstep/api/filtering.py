"""SCIM's filter grammar for lists (RFC 7644, section 3.4.2.2). A filter is converted to parameters of an action, or applied to rows in
memory.

An unsupported filter is refused with an error that names the supported attributes. No filter is ever ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lockstep.api.problems import ApiError, refused
from lockstep.scim.errors import ScimError
from lockstep.scim.filters import And, Comparison, Filter, Not, Or, Present, parse_filter
from lockstep.wording import did_you_mean

ListedRow = Mapping[str, Any]
ReadField = Callable[[Any], Any]


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be compared with a string in quotes")
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be compared with true or false")
    return value


def number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise ValueError("must be compared with a whole number")
    return value


def time(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text(value))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError('must be compared with a time such as "2026-11-28T08:00:00Z"') from None


def words(*allowed: str) -> ReadField:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"must be compared with one of: {', '.join(allowed)}")
        return str(value)

    return read


@dataclass(frozen=True, slots=True)
class Selects:
    """A comparison that a list supports, such as `state eq "active"`. The function *read* converts the compared value, here "active". The
    result becomes the argument *parameter* of the action.
    """

    attribute: str
    op: str
    parameter: str
    read: ReadField = text


def selected(filter: str, known: Sequence[Selects]) -> dict[str, Any]:
    """Return the parameters that *filter* sets. The filter must be one comparison, or several joined by `and`. Raises ApiError for
    anything else.
    """
    if not filter:
        return {}
    tree = _parsed(filter)
    found: dict[str, Any] = {}
    for term in tree.terms if isinstance(tree, And) else (tree,):
        if not isinstance(term, Comparison):
            raise _refused(f'Filter this list with comparisons joined by "and". Attributes: {_known(known)}')
        name = str(term.path)
        of_name = [one for one in known if one.attribute.lower() == name.lower()]
        if not of_name:
            names = sorted({one.attribute for one in known})
            raise _refused(
                f'Unknown attribute "{name}"',
                did_you_mean(name, names, otherwise=f"Attributes of this list: {_known(known)}"),
            )
        one = next((one for one in of_name if one.op == term.op), None)
        if one is None:
            raise _refused(
                f"{of_name[0].attribute} cannot be compared with {term.op}", f"Possible comparisons: {_known(of_name)}"
            )
        if one.parameter in found:
            raise _refused(f"{one.attribute} {one.op} is given twice")
        try:
            found[one.parameter] = one.read(term.value)
        except ValueError as wrong:
            raise _refused(f"{one.attribute} {wrong}") from None
    return found


def matching(filter: str, rows: Sequence[ListedRow]) -> list[ListedRow]:
    """Return the *rows* that match *filter*. Attributes have the same names in the filter as in the JSON; a nested one is written like
    `guards.percent`.
    """
    if not filter:
        return list(rows)
    tree = _parsed(filter)
    if rows:
        _refuse_unknown_names(tree, rows[0])
    return [row for row in rows if _matches(tree, row)]


def _parsed(filter: str) -> Filter:
    try:
        return parse_filter(filter)
    except ScimError as wrong:
        raise _refused(str(wrong.detail)) from None


def _refused(detail: str, next_step: str = "") -> ApiError:
    return refused(
        "invalid-request",
        f"filter: {detail}",
        next_step=next_step,
        places=[{"pointer": "/query/filter", "detail": detail}],
    )


def _known(known: Sequence[Selects]) -> str:
    return ", ".join(f"{one.attribute} {one.op}" for one in known)


def _names(tree: Filter) -> list[str]:
    if isinstance(tree, And | Or):
        return [name for term in tree.terms for name in _names(term)]
    return _names(tree.term) if isinstance(tree, Not) else [tree.path.name]


def _refuse_unknown_names(tree: Filter, row: ListedRow) -> None:
    lower = {key.lower() for key in row}
    for name in _names(tree):
        if name.lower() not in lower:
            raise _refused(
                f'Unknown attribute "{name}"', did_you_mean(name, list(row), otherwise=f"Known: {', '.join(row)}")
            )


def _matches(tree: Filter, row: ListedRow) -> bool:
    match tree:
        case And(terms):
            return all(_matches(term, row) for term in terms)
        case Or(terms):
            return any(_matches(term, row) for term in terms)
        case Not(term):
            return not _matches(term, row)
        case Present(path):
            return _value(row, path.name, path.sub) not in (None, "", [], {})
        case Comparison(path, op, wanted):
            return _compares(op, _value(row, path.name, path.sub), wanted)
        case _:
            raise _refused("This list does not support brackets after an attribute")


def _value(row: ListedRow, name: str, sub: str) -> Any:
    found = next((value for key, value in row.items() if key.lower() == name.lower()), None)
    return _value(found, sub, "") if sub and isinstance(found, Mapping) else None if sub else found


def _compares(op: str, value: Any, wanted: Any) -> bool:
    if isinstance(value, list | tuple):
        return (
            any(_compares(op, one, wanted) for one in value)
            if op != "ne"
            else all(_compares(op, one, wanted) for one in value)
        )
    if isinstance(value, str) and isinstance(wanted, str):
        left, right = value.casefold(), wanted.casefold()
        if op in ("co", "sw", "ew"):
            return {"co": right in left, "sw": left.startswith(right), "ew": left.endswith(right)}[op]
        return _orders(op, left, right)
    if isinstance(value, bool) or isinstance(wanted, bool) or value is None or wanted is None:
        return {"eq": value is wanted, "ne": value is not wanted}.get(op, False)
    if isinstance(value, int | float) and isinstance(wanted, int | float):
        return _orders(op, value, wanted)
    return op == "ne"


def _orders(op: str, left: Any, right: Any) -> bool:
    answers = {
        "eq": left == right,
        "ne": left != right,
        "gt": left > right,
        "ge": left >= right,
        "lt": left < right,
        "le": left <= right,
    }
    return bool(answers.get(op, False))
