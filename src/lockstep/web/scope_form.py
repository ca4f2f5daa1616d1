"""The form of scoping filters: convert stored filters to rows and posted rows to filters, and add and remove rows without script.

A condition that is not a clause (a group of conditions, a membership, an expression) cannot be edited here and is kept unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from starlette.datastructures import FormData

from lockstep.configuration.document.filter_text import filter_text
from lockstep.engine.rules.operators import OPERATORS
from lockstep.errors import invalid

_ENTRA = sorted((one.name for one in OPERATORS.values() if not one.beyond_entra), key=str.lower)
_OURS = [one.name for one in OPERATORS.values() if one.beyond_entra]
OPERATOR_NAMES = (*_ENTRA, *_OURS)
_MOST = 50  # the most filters, and the most clauses of one filter


@dataclass(frozen=True, slots=True)
class ClauseRow:
    """One row. *kept* is the JSON of a condition that this form cannot edit; *text* is its readable form."""

    attribute: str = ""
    operator: str = "EQUALS"
    value: str = ""
    kept: str = ""
    text: str = ""

    def condition(self) -> dict[str, Any]:
        if self.kept:
            return _kept(self.kept)
        operator = OPERATORS.get(self.operator)
        found = {"attribute": self.attribute, "operator": self.operator}
        return found if operator is not None and operator.is_unary else found | {"value": self.value}


@dataclass(frozen=True, slots=True)
class FilterRows:
    """One filter: its title and its clauses. *extra* is JSON: imported parts that the form does not show."""

    title: str = ""
    clauses: Sequence[ClauseRow] = field(default=(ClauseRow(),))
    extra: str = ""

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = {"title": self.title, "all": [one.condition() for one in self.clauses]}
        return found | ({"x-entra": _kept(self.extra)} if self.extra else {})


def rows_of(filters: Sequence[Mapping[str, Any]]) -> list[FilterRows]:
    """Return the rows of stored filters."""
    return [
        FilterRows(
            one.get("title", ""),
            [_clause(part) for part in one.get("all", [])],
            orjson.dumps(one["x-entra"]).decode() if one.get("x-entra") else "",
        )
        for one in filters
    ]


def rows_posted(form: FormData) -> list[FilterRows]:
    """Return the rows of a posted form. The fields are named `title-0`, `attribute-0-1` and so on, with gaps where a row was removed."""

    def text(name: str) -> str:
        return str(form.get(name, "")).strip()

    found = []
    for number in range(_MOST):
        if f"title-{number}" not in form:
            continue
        clauses = [
            ClauseRow(
                text(f"attribute-{number}-{row}"),
                text(f"operator-{number}-{row}"),
                str(form.get(f"value-{number}-{row}", "")),
                text(f"kept-{number}-{row}"),
            )
            for row in range(_MOST)
            if f"operator-{number}-{row}" in form or f"kept-{number}-{row}" in form
        ]
        clauses = [_clause(one.condition()) if one.kept else one for one in clauses]
        found.append(FilterRows(text(f"title-{number}"), clauses, text(f"extra-{number}")))
    return found


def stepped(rows: Sequence[FilterRows], step: str) -> list[FilterRows] | None:
    """Return *rows* after a button that adds or removes a row: `add`, `remove-0`, `add-0`, `remove-0-1`. Returns None for any other
    button.
    """
    word, *numbers = step.split("-")
    if word not in ("add", "remove") or not all(one.isdecimal() for one in numbers):
        return None
    changed = list(rows)
    match word, [int(one) for one in numbers]:
        case "add", []:
            changed.append(FilterRows())
        case "add", [at] if at < len(changed):
            changed[at] = replace(changed[at], clauses=[*changed[at].clauses, ClauseRow()])
        case "remove", [at] if at < len(changed):
            del changed[at]
        case "remove", [at, row] if at < len(changed):
            left = [one for place, one in enumerate(changed[at].clauses) if place != row]
            changed[at] = replace(changed[at], clauses=left or [ClauseRow()])
    return changed


def documents(rows: Sequence[FilterRows]) -> list[dict[str, Any]]:
    """Return the filters that *rows* describe, as an application's configuration file contains them. Raises LockstepError for an incomplete
    row.
    """
    for number, one in enumerate(rows, 1):
        if not one.title:
            raise invalid(f"Filter {number} has no title", next_step="Enter a Scoping Filter Title")
        for place, row in enumerate(one.clauses, 1):
            if not row.kept and not row.attribute:
                raise invalid(f'Clause {place} of "{one.title}" has no attribute', next_step="Choose an attribute")
    return [one.document() for one in rows]


def _clause(part: Mapping[str, Any]) -> ClauseRow:
    if set(part) <= {"attribute", "operator", "value"} and "attribute" in part:
        return ClauseRow(part["attribute"], part["operator"], str(part.get("value", "")))
    reads = filter_text({"title": "", "all": [part]}).removeprefix(": ")
    return ClauseRow(kept=orjson.dumps(dict(part)).decode(), text=reads)


def _kept(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise invalid("A stored condition was changed in the form", next_step="Open the page again")
    return found
