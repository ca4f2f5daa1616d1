"""Parse and print SCIM filters (RFC 7644, section 3.4.2.2, with errata). `filter_match` compiles the parsed tree to functions.

`and` binds more tightly than `or`. A malformed filter raises ScimError("invalidFilter") with the position of the mistake; it is never
treated as a filter that matches nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, cast

from lockstep.scim.errors import ScimError, invalid_filter
from lockstep.scim.limits import CACHED_TEXT
from lockstep.scim.names import AttributePath, parse_name
from lockstep.scim.tokens import Token, quote, tokenize

FilterOperator = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
FilterValue = str | int | float | bool | None

MAX_DEPTH: Final = 16
MAX_TERMS: Final = 50
MAX_LENGTH: Final = 16_000

_OPERATORS: Final = frozenset(("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"))
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?\Z", re.ASCII)
_CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The filter `path op value`."""

    path: AttributePath
    op: FilterOperator
    value: FilterValue


@dataclass(frozen=True, slots=True)
class Present:
    """The filter `path pr`: the attribute has a value."""

    path: AttributePath


@dataclass(frozen=True, slots=True)
class And:
    """A conjunction of two or more terms."""

    terms: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """A disjunction of two or more terms."""

    terms: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The filter `not (term)`."""

    term: Filter


@dataclass(frozen=True, slots=True)
class ValuePath:
    """The filter `path[filter]`. *then* is the comparison after the bracket, as in `emails[type eq "work"].value sw "b"`."""

    path: AttributePath
    filter: Filter
    then: Comparison | Present | None = None


Filter = Comparison | Present | And | Or | Not | ValuePath


def parse_filter(text: str, *, lenient: bool = False) -> Filter:
    """Parse a filter. Parsed short filters are cached.

    *lenient* also accepts text values without quotes, and quotes other than the double quote (`"`). Raises ScimError("invalidFilter") with
    the position of the mistake. More than 50 comparisons, or brackets nested more than 16 levels deep, are mistakes too.
    """
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        raise invalid_filter(f"The filter is longer than {MAX_LENGTH} characters.")
    return _parse_cached(text, lenient) if len(text) <= CACHED_TEXT else _parse(text, lenient)


def print_filter(filter: Filter) -> str:
    """Return the text of a filter. Parsing that text again gives an equal tree."""
    match filter:
        case Comparison(path, op, value):
            return f"{path} {op} {_print_value(value)}"
        case Present(path):
            return f"{path} pr"
        case And(terms):
            return " and ".join(_nested(term, And, Or) for term in terms)
        case Or(terms):
            return " or ".join(_nested(term, Or) for term in terms)
        case Not(term):
            return f"not ({print_filter(term)})"
        case ValuePath(path, inner, then):
            after = f".{print_filter(then)}" if then is not None else ""
            return f"{path}[{print_filter(inner)}]{after}"


@lru_cache(maxsize=1024)
def _parse_cached(text: str, lenient: bool) -> Filter:
    return _parse(text, lenient)


def _parse(text: str, lenient: bool) -> Filter:
    reader = FilterReader(tokenize(text, invalid_filter, any_quotes=lenient), lenient=lenient)
    result = reader.read_filter()
    reader.expect("end", "the end of the filter")
    return result


def _nested(term: Filter, *bracketed: type) -> str:
    text = print_filter(term)
    return f"({text})" if isinstance(term, bracketed) else text


def _print_value(value: FilterValue) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return quote(value) if isinstance(value, str) else repr(value)


class FilterReader:
    """A recursive descent parser over the tokens of a filter. `paths` uses it for the filter in the brackets of a path."""

    def __init__(self, tokens: list[Token], *, lenient: bool) -> None:
        self._tokens = tokens
        self._at = 0
        self._lenient = lenient
        self._depth = 0
        self._terms = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def take(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def expect(self, kind: str, what: str) -> Token:
        if self.next.kind != kind:
            raise self._wanted(what)
        return self.take()

    def read_filter(self) -> Filter:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise invalid_filter(f"The filter nests deeper than {MAX_DEPTH} levels, at character {self.next.position}.")
        terms = [self._read_and()]
        while self._keyword("or"):
            terms.append(self._read_and())
        self._depth -= 1
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _read_and(self) -> Filter:
        terms = [self._read_term()]
        while self._keyword("and"):
            terms.append(self._read_term())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _read_term(self) -> Filter:
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if self.next.kind == "word" and self.next.text.lower() == "not" and following.kind == "(":
            self.take()
            return Not(self._read_group())
        if self.next.kind == "(":
            return self._read_group()
        name = self.expect("word", "an attribute name")
        path = parse_name(name.text, self._at_position(name))
        if not path.name:
            raise invalid_filter(f"{name.text[:120]!r} at character {name.position} names a schema, not an attribute.")
        if self.next.kind == "[":
            return self._read_value_path(path)
        return self._read_comparison(path)

    def _read_group(self) -> Filter:
        self.expect("(", "an opening bracket")
        inner = self.read_filter()
        self.expect(")", "a closing bracket")
        return inner

    def _read_value_path(self, path: AttributePath) -> Filter:
        if path.sub:
            raise invalid_filter(
                f"{str(path)[:120]!r} has a sub-attribute before its bracket; put it after the bracket."
            )
        self.take()
        inner = self.read_filter()
        self.expect("]", "a closing square bracket")
        if self.next.kind != "word" or not self.next.text.startswith("."):
            return ValuePath(path, inner)
        name = self.take()
        sub = parse_name(name.text[1:], self._at_position(name))
        if sub.schema or sub.sub:
            raise invalid_filter(f"Only one sub-attribute may follow the bracket, at character {name.position}.")
        return ValuePath(path, inner, self._read_comparison(sub))

    def _read_comparison(self, path: AttributePath) -> Comparison | Present:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise invalid_filter(f"The filter has more than {MAX_TERMS} comparisons.")
        token = self.expect("word", "an operator")
        op = token.text.lower()
        if op == "pr":
            return Present(path)
        if op not in _OPERATORS:
            raise invalid_filter(
                f"{token.text[:40]!r} at character {token.position} is not an operator: eq, ne, co, sw, ew, gt, ge, lt, le, pr."
            )
        return Comparison(path, cast(FilterOperator, op), self._read_value())

    def _read_value(self) -> FilterValue:
        if self.next.kind == "string":
            return self.take().text
        token = self.expect("word", "a value")
        if token.text in _CONSTANTS:
            return _CONSTANTS[token.text]
        if _NUMBER.match(token.text):
            number = _number(token.text)
            # 007 or 1.50 may be an unquoted identifier, so only text that round-trips is parsed as a number.
            if number is not None and (not self._lenient or repr(number) == token.text):
                return number
        if not self._lenient:
            raise invalid_filter(
                f"{token.text[:80]!r} at character {token.position} is not a value: put strings in quotes."
            )
        return _CONSTANTS.get(token.text.lower(), token.text)

    def _keyword(self, word: str) -> bool:
        if self.next.kind == "word" and self.next.text.lower() == word:
            self.take()
            return True
        return False

    def _wanted(self, what: str) -> ScimError:
        found = "the filter ends" if self.next.kind == "end" else f"there is {self.next.text[:80]!r}"
        return invalid_filter(f"Expected {what} at character {self.next.position}, but {found}.")

    @staticmethod
    def _at_position(token: Token) -> _PositionedError:
        return _PositionedError(token.position)


@dataclass(frozen=True, slots=True)
class _PositionedError:
    position: int

    def __call__(self, detail: str) -> ScimError:
        return invalid_filter(f"{detail} (at character {self.position})")


def _number(text: str) -> int | float | None:
    try:
        value = int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:  # more digits than Python can convert
        return None
    return None if value in (float("inf"), float("-inf")) else value
