"""Run expression test cases: JSON lines with an expression, an object and the expected value. Pure: the caller supplies the time.

One line is `{"expr", "in", "now", "taken", "out", "id"}`; only `expr` and `out` are required. An invalid line is reported with its
number, and the other lines still run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import re2

from lockstep.engine.expressions.compiled import compile_expression
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.dates import parse_date
from lockstep.engine.expressions.errors import ExpressionError
from lockstep.engine.expressions.values import Diversion
from lockstep.engine.moment import Moment

ERROR = "<error>"
_SEED = b"expression cases"


@dataclass(frozen=True, slots=True)
class Case:
    line: int
    id: str | None
    expression: str
    record: dict[str, Any]
    now: datetime
    taken: frozenset[str]
    expected: Any


@dataclass(frozen=True, slots=True)
class CaseFailure:
    """A case that did not pass. *detail* is the error message if the evaluation failed."""

    file: str
    line: int
    id: str | None
    expression: str
    expected: Any
    actual: Any
    detail: str = ""


@dataclass(frozen=True, slots=True)
class MalformedCase:
    file: str
    line: int
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    passed: int
    failures: tuple[CaseFailure, ...]
    malformed: tuple[MalformedCase, ...]


def run_cases(lines: Iterable[str], *, file: str, now: datetime) -> Report:
    """Run every case in *lines*. *now* is the time for cases that give none."""
    passed = 0
    failures: list[CaseFailure] = []
    malformed: list[MalformedCase] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = read_case(line, number, now)
            failure = run_case(case, file)
        except ValueError as error:
            malformed.append(MalformedCase(file, number, str(error)))
            continue
        if failure is None:
            passed += 1
        else:
            failures.append(failure)
    return Report(passed, tuple(failures), tuple(malformed))


def read_case(line: str, number: int, now: datetime) -> Case:
    """Parse the case in *line*. Raises ValueError with a readable sentence if it is invalid."""
    try:
        row = orjson.loads(line.encode("utf-8", "surrogatepass"))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.args[0]}") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    if not isinstance(row.get("expr"), str):
        raise ValueError('"expr" must be the text of an expression')
    if "out" not in row:
        raise ValueError('"out" is missing')
    record = row.get("in")
    record = {} if record is None else record
    if not isinstance(record, dict):
        raise ValueError('"in" must be an object of attributes and values')
    taken = row.get("taken")
    taken = [] if taken is None else taken
    if not isinstance(taken, list) or not all(isinstance(value, str) for value in taken):
        raise ValueError('"taken" must be a list of strings')
    identifier = None if row.get("id") is None else str(row["id"])
    return Case(number, identifier, row["expr"], record, _time(row.get("now"), now), frozenset(taken), row["out"])


def _time(text: Any, now: datetime) -> datetime:
    if text is None:
        return now
    time = parse_date(text) if isinstance(text, str) else None
    if time is None:
        raise ValueError('"now" must be a date or time such as 2021-07-02T15:33:38Z')
    return time


def run_case(case: Case, file: str) -> CaseFailure | None:
    """Return None if the case passes. Raises ValueError if the expected pattern is not a valid regular expression."""
    context = EvaluationContext(Moment(case.now, _SEED), taken=case.taken, label=f"{file}:{case.line}")
    detail = ""
    try:
        actual = plain(compile_expression(case.expression).evaluate(case.record, context))
    except ExpressionError as error:
        actual, detail = ERROR, error.detail
    if _holds(case.expected, actual):
        return None
    return CaseFailure(file, case.line, case.id, case.expression, case.expected, actual, detail)


def plain(value: Any) -> Any:
    """Convert *value* to JSON types."""
    if isinstance(value, Diversion):
        return value.value
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def _holds(expected: Any, actual: Any) -> bool:
    if isinstance(expected, dict) and set(expected) == {"regex"}:
        try:
            return isinstance(actual, (str, int)) and bool(_pattern(expected["regex"]).fullmatch(_comparable(actual)))
        except (re2.error, UnicodeError, TypeError):
            raise ValueError(f'"regex" is not a valid regular expression: {expected["regex"]!r}') from None
    return bool(_comparable(expected) == _comparable(actual))


def _pattern(source: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(source, options)


def _comparable(value: Any) -> Any:
    """Convert *value* for a comparison in which a number or truth value equals its text, and an empty list equals null."""
    if isinstance(value, (bool, int, float)):
        return str(value)
    if isinstance(value, list):
        return [_comparable(item) for item in value] or None
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    return value
