"""Scoping filters as one types them: `Sales only: department EQUALS "Sales" and country IS NOT NULL`.

The clauses of one filter are joined by `and`; several filters are alternatives. A value that holds `and` or a quote stands in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from lockstep.cli.config_files import text_of_file
from lockstep.engine.config_yaml import read_yaml
from lockstep.engine.operators import OPERATORS
from lockstep.errors import invalid

EXAMPLE = """'Sales only: department EQUALS "Sales" and country IS NOT NULL'"""
Filters = list[dict[str, Any]]
_TITLE = re.compile(r"\s*([^:\"']+?)\s*:\s*(.+)", re.DOTALL)
_AND = re.compile(r"\s+and\s+(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", re.IGNORECASE)
_NAMES = "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in sorted(OPERATORS, key=len, reverse=True))
_CLAUSE = re.compile(rf"\s*(\S+)\s+({_NAMES})(?:\s+(.*?))?\s*", re.IGNORECASE | re.DOTALL)


def filter_from_text(text: str) -> dict[str, Any]:
    """The filter that *text* says, in the shape of an application's file. Raises LockstepError."""
    titled = _TITLE.fullmatch(text)
    if titled is None:
        raise invalid(f"The filter {text!r} has no title", next_step=f"Write it so: {EXAMPLE}")
    return {"title": titled[1], "all": [_clause(part) for part in _AND.split(titled[2])]}


def filter_text(scoping: Mapping[str, Any]) -> str:
    """*scoping* as one would type it; parts that have no such form stay as they are in the file."""
    return f"{scoping.get('title', '')}: " + " and ".join(_condition_text(part) for part in scoping.get("all", []))


def filters_given(texts: Sequence[str], file: str | None) -> Filters | None:
    """The filters that were typed or stand in a file; None without either. Raises for both, and for what is no filter."""
    if texts and file:
        raise click.UsageError("Give --filter or --file, not both")
    if file:
        return filters_from_yaml(text_of_file(file), file)
    return [filter_from_text(text) for text in texts] if texts else None


def filters_from_yaml(text: str, file: str) -> list[dict[str, Any]]:
    """The filters of a YAML file: a list, or an object with `scopingFilters`. Raises LockstepError with its place."""
    documents = read_yaml(text, file)
    value = documents[0].value if documents else []
    found = value.get("scopingFilters") if isinstance(value, Mapping) else value
    if not isinstance(found, Sequence) or isinstance(found, str) or not all(isinstance(one, Mapping) for one in found):
        raise invalid(
            f"{file}: a list of filters is needed",
            next_step="Each is {title: ..., all: [{attribute, operator, value}]}",
        )
    return [dict(one) for one in found]


def _clause(text: str) -> dict[str, Any]:
    found = _CLAUSE.fullmatch(text)
    if found is None:
        names = ", ".join(OPERATORS)
        raise invalid(f'"{text.strip()}" is no clause', why=f"A clause is: attribute OPERATOR value. Operators: {names}",
                      next_step=f"Write it so: {EXAMPLE}")  # fmt: skip
    value = found[3] or ""
    is_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    clause = {"attribute": found[1], "operator": " ".join(found[2].upper().split())}
    return clause | ({"value": value[1:-1] if is_quoted else value} if value else {})


def _condition_text(part: Mapping[str, Any]) -> str:
    if "memberOf" in part:
        return f'member of "{part["memberOf"]}"'
    if "expression" in part:
        return f"expression {part['expression']}"
    if "not" in part:
        return f"not ({_condition_text(part['not'])})"
    for word, joint in (("all", " and "), ("any", " or ")):
        if word in part:
            return "(" + joint.join(_condition_text(one) for one in part[word]) + ")"
    value = f' "{part["value"]}"' if part.get("value") not in (None, "") else ""
    return f"{part['attribute']} {part['operator']}{value}"
