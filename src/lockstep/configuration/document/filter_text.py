"""Parse and print scoping filters as people type them: `Sales only: department EQUALS "Sales" and country IS NOT NULL`. Pure.

`and` joins the clauses of one filter. Filters are alternatives, so this language has no `or`. The whole input is parsed: text that does not
fit the syntax is an error with a position, and never becomes part of a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lockstep.engine.rules.operators import OPERATORS
from lockstep.errors import LockstepError, invalid

EXAMPLE = """'Sales only: department EQUALS "Sales" and country IS NOT NULL'"""
_QUOTES = "\"'"
_TITLE = re.compile(r"\s*([^:\"']+?)\s*:")
_BLANKS = re.compile(r"\s*")
_WORD = re.compile(r"[^\s\"']+")
_OPERATOR = re.compile(
    "("
    + "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in sorted(OPERATORS, key=len, reverse=True))
    + r")(?=[\s\"']|$)",
    re.IGNORECASE,
)
_JOINT = re.compile(r"and(?=\s|$)", re.IGNORECASE)
# An unquoted value ends before `and`.
_BARE = re.compile(r"(?:(?!\s+and(?:\s|$))[^\"'])+", re.IGNORECASE)
_OR = re.compile(r"(?:^|\s)or(?=\s|$)", re.IGNORECASE)
_NAMES = {name.upper(): name for name in OPERATORS}


def filter_from_text(text: str) -> dict[str, Any]:
    """Parse *text*. Returns the filter as an application's file has it. Raises LockstepError with the position of the error."""
    titled = _TITLE.match(text)
    if titled is None:
        raise invalid(f"The filter {text!r} has no title", next_step=f"Write it like this: {EXAMPLE}")
    return {"title": titled[1], "all": _Reader(text, titled.end()).clauses()}


def filter_text(scoping: Mapping[str, Any]) -> str:
    """Print *scoping* as people type it. Parts that have no text form are printed as in the file."""
    return f"{scoping.get('title', '')}: " + " and ".join(_condition_text(part) for part in scoping.get("all", []))


class _Reader:
    """Parses clauses from a position in the text to its end."""

    def __init__(self, text: str, position: int) -> None:
        self._text = text
        self._at = position

    def clauses(self) -> list[dict[str, Any]]:
        found = [self._clause()]
        while not self._is_at_end():
            joint = self._take(_JOINT)
            if joint is None:
                raise self._error("only `and` with another clause can follow here")
            if self._is_at_end():
                raise self._error("a clause must follow `and`")
            found.append(self._clause())
        return found

    def _clause(self) -> dict[str, Any]:
        self._skip_blanks()
        attribute = self._take(_WORD)
        if attribute is None:
            raise self._error("an attribute is missing")
        self._skip_blanks()
        operator = self._take(_OPERATOR)
        if operator is None:
            raise self._error(f"an operator must follow {attribute}", why=f"Operators: {', '.join(OPERATORS)}")
        name = " ".join(operator.upper().split())
        clause = {"attribute": attribute, "operator": name}
        self._skip_blanks()
        value = self._value()
        if value is None:
            if not OPERATORS[_NAMES[name]].is_unary:
                raise self._error(f"{name} needs a value")
            return clause
        return clause | {"value": value}

    def _value(self) -> str | None:
        """Parse a quoted value, or unquoted words up to `and`; None if there is no value."""
        if self._text[self._at : self._at + 1] in (*_QUOTES,):
            return self._quoted()
        if _JOINT.match(self._text, self._at):
            return None
        begin = self._at
        bare = self._take(_BARE)
        if bare is None:
            return None
        if self._at < len(self._text) and self._text[self._at] in _QUOTES:
            raise self._error("a value that contains a quote must be quoted")
        if found := _OR.search(bare):
            self._at = begin + found.end() - len("or")
            raise self._error(
                "`or` is not part of a filter",
                next_step='Write two filters, each with its own --filter: only one of them has to match. Quote a value that contains "or"',
            )
        return bare.strip() or None

    def _quoted(self) -> str:
        begin, quote = self._at, self._text[self._at]
        parts: list[str] = []
        at = begin + 1
        while (end := self._text.find(quote, at)) >= 0:
            parts.append(self._text[at:end])
            if self._text[end + 1 : end + 2] != quote:
                self._at = end + 1
                return quote.join(parts)
            at = end + 2
        raise self._error("this quote is not closed")

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _skip_blanks(self) -> None:
        self._take(_BLANKS)

    def _is_at_end(self) -> bool:
        self._skip_blanks()
        return self._at == len(self._text)

    def _error(self, what: str, *, why: str = "", next_step: str = f"Write it like this: {EXAMPLE}") -> LockstepError:
        rest = self._text[self._at :].strip()
        near = f' ("{rest[:30]}")' if rest else ", the end"
        return invalid(f'Filter "{self._text.strip()}": {what}, at character {self._at + 1}{near}',
                       why=why, next_step=next_step)  # fmt: skip


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
    value = part.get("value")
    return f"{part['attribute']} {part['operator']}" + (f" {quoted(str(value))}" if value is not None else "")


def quoted(value: str) -> str:
    """Quote *value* so that `filter_from_text` reads it back."""
    return '"' + value.replace('"', '""') + '"'
