"""The table of operators for scoping filters.

An empty attribute passes only IS NULL. It fails all other operators, even the negative ones. This is Entra's rule, and it surprises people.
Text comparison is case-sensitive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from lockstep.engine.expressions.dates import parse_date
from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.full_match import compile_full_match
from lockstep.engine.records import Value
from lockstep.engine.rules.durations import parse_duration

OperandTest: TypeAlias = Callable[[Value, datetime], bool]

TEXT, INTEGER, BOOLEAN, DATE, REFERENCE = "String", "Integer", "Boolean", "DateTime", "Reference"


class BadOperand(ValueError):
    """Raised if the value of a clause does not fit its operator."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of a clause. *compile* builds the test of one non-empty value. The text *must* states the requirement ("must EQUAL {}").
    The text *remedy* states the change with which the value would pass ("were {}"). In both texts, {} stands for the quoted operand.
    """

    name: str
    arity: str  # Unary | Binary
    types: tuple[str, ...]
    meaning: str
    compile: Callable[[str], OperandTest]
    must: str
    remedy: str
    negative: bool = False  # all values must pass; otherwise one is enough
    accepts_null: bool = False
    beyond_entra: bool = False

    @property
    def is_unary(self) -> bool:
        return self.arity == "Unary"


def text_of(value: Value) -> str:
    """Convert *value* to the text that clauses compare; truth values become True and False."""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, Mapping):
        return str(value.get("value", value.get("id", "")))
    return str(value)


def whole_number(text: str) -> int | None:
    """Parse *text* as a whole number of at most 19 digits, or return None."""
    text = text.strip()
    digits = text[1:] if text[:1] in ("+", "-") else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None


def is_empty(value: Value) -> bool:
    return value is None or value in ("", (), [])


def _equals(operand: str) -> OperandTest:
    folded = operand.lower()
    return lambda value, now: (
        value == operand or (text_of(value).lower() == folded if isinstance(value, bool) else text_of(value) == operand)
    )


def _truth(wanted: str) -> Callable[[str], OperandTest]:
    return lambda operand: lambda value, now: text_of(value).strip().lower() == wanted


def _pattern(*, wanted: bool) -> Callable[[str], OperandTest]:
    def compile_test(operand: str) -> OperandTest:
        try:
            pattern = compile_full_match(operand)
        except ExpressionTrouble as trouble:
            raise BadOperand(trouble.message) from None

        def test(value: Value, now: datetime) -> bool:
            try:
                return pattern.holds(text_of(value)) is wanted
            except ExpressionTrouble:
                # The text is too long for this pattern, so neither the pattern nor its negation holds.
                return False

        return test

    return compile_test


def _order(compare: Callable[[int, int], bool]) -> Callable[[str], OperandTest]:
    def compile_order(operand: str) -> OperandTest:
        limit = whole_number(operand)
        if limit is None:
            raise BadOperand(f'needs a whole number, got "{operand}"')

        def test(value: Value, now: datetime) -> bool:
            number = whole_number(text_of(value))
            return number is not None and compare(number, limit)

        return test

    return compile_order


def moment_of(operand: str) -> Callable[[datetime], datetime]:
    """Return a function that converts the present time to the time that *operand* names. *operand* is a date (`2025-01-31`), `now`, or an
    offset from now (`now-P14D`, `P7D`). Raises BadOperand.
    """
    text = operand.strip()
    sign, rest = 1, text.removeprefix("now").strip()
    if rest[:1] in ("+", "-"):
        sign, rest = (-1 if rest[0] == "-" else 1), rest[1:].strip()
    if text == "now":
        return lambda now: now
    if (offset := parse_duration(rest)) is not None:
        return lambda now: _shifted(now, sign * offset)
    date = parse_date(text)
    if date is None:
        raise BadOperand(f'needs a date, now, or an offset such as now-P14D, got "{operand}"')
    return lambda now: date


def _shifted(now: datetime, offset: timedelta) -> datetime:
    try:
        return now + offset
    except OverflowError:
        return (
            datetime.max.replace(tzinfo=now.tzinfo)
            if offset > timedelta(0)
            else datetime.min.replace(tzinfo=now.tzinfo)
        )


def _date(compare: Callable[[datetime, datetime], bool]) -> Callable[[str], OperandTest]:
    def compile_date(operand: str) -> OperandTest:
        limit = moment_of(operand)

        def test(value: Value, now: datetime) -> bool:
            date = parse_date(text_of(value))
            return date is not None and compare(date, limit(now))

        return test

    return compile_date


def _not(compile_positive: Callable[[str], OperandTest]) -> Callable[[str], OperandTest]:
    def compile_negative(operand: str) -> OperandTest:
        test = compile_positive(operand)
        return lambda value, now: not test(value, now)

    return compile_negative


def _bits(*, wanted: bool) -> Callable[[str], OperandTest]:
    def compile_bits(operand: str) -> OperandTest:
        mask = whole_number(operand)
        if mask is None:
            raise BadOperand(f'needs a whole number, got "{operand}"')

        def test(value: Value, now: datetime) -> bool:
            number = whole_number(text_of(value))
            return number is not None and (number & mask != 0) is wanted

        return test

    return compile_bits


def _always(answer: bool) -> Callable[[str], OperandTest]:
    return lambda operand: lambda value, now: answer


_ANY = (TEXT, INTEGER, BOOLEAN, DATE, REFERENCE)

OPERATORS: Mapping[str, Operator] = {
    row.name: row
    for row in (
        Operator("EQUALS", "Binary", _ANY, "The text is equal; case matters.", _equals, "must EQUAL {}", "were {}"),
        Operator(
            "NOT EQUALS", "Binary", _ANY, "The attribute has another text. An empty attribute fails the clause.",
            _not(_equals), "must NOT EQUAL {}", "were anything but {}", negative=True,
        ),
        Operator("IS TRUE", "Unary", (BOOLEAN,), "The value is true.", _truth("true"), "must be TRUE", "were true"),
        Operator("IS FALSE", "Unary", (BOOLEAN,), "The value is false.", _truth("false"), "must be FALSE", "were false"),
        Operator(
            "IS NULL", "Unary", _ANY, "The attribute is empty.",
            _always(False), "must be empty", "were empty", negative=True, accepts_null=True,
        ),
        Operator("IS NOT NULL", "Unary", _ANY, "The attribute has a value.", _always(True), "must have a value", "had a value"),
        Operator("Present", "Unary", _ANY, "The attribute has a value.", _always(True), "must have a value", "had a value"),
        Operator(
            "REGEX MATCH", "Binary", (TEXT,), "The pattern matches the whole text; case matters.",
            _pattern(wanted=True), "must match the pattern {}", "matched the pattern {}",
        ),
        Operator(
            "NOT REGEX MATCH", "Binary", (TEXT,), "The pattern does not match the whole text. An empty attribute fails the clause.",
            _pattern(wanted=False), "must not match the pattern {}", "did not match the pattern {}", negative=True,
        ),
        Operator(
            "Greater_Than", "Binary", (INTEGER,), "The whole number is larger.",
            _order(int.__gt__), "must be greater than {}", "were greater than {}",
        ),
        Operator(
            "Greater_Than_OR_EQUALS", "Binary", (INTEGER,), "The whole number is larger or equal.",
            _order(int.__ge__), "must be at least {}", "were at least {}",
        ),
        Operator(
            "Includes", "Binary", (TEXT,), "The attribute contains the text; case matters.",
            lambda operand: lambda value, now: operand in text_of(value), "must include {}", "included {}",
        ),
        Operator(
            "ENDS_WITH", "Binary", (TEXT,), "The attribute ends with the text; case matters.",
            lambda operand: lambda value, now: text_of(value).endswith(operand), "must end with {}", "ended with {}",
        ),
        Operator(
            "&", "Binary", (INTEGER,), "At least one of the bits is set.",
            _bits(wanted=True), "must have a bit of {}", "had a bit of {}",
        ),
        Operator(
            "!&", "Binary", (INTEGER,), "None of the bits is set.",
            _bits(wanted=False), "must have no bit of {}", "had no bit of {}", negative=True,
        ),
        Operator(
            "BEFORE", "Binary", (DATE,), "The date is before the given time: a date, now, or an offset such as now-P14D.",
            _date(datetime.__lt__), "must be before {}", "were before {}", beyond_entra=True,
        ),
        Operator(
            "AFTER", "Binary", (DATE,), "The date is after the given time: a date, now, or an offset such as now-P14D.",
            _date(datetime.__gt__), "must be after {}", "were after {}", beyond_entra=True,
        ),
    )
}  # fmt: skip
