"""Every case of the tables, and every example of the catalogue, gives the stated result."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from lockstep.engine.expressions import parse
from lockstep.engine.expressions.cases import run_cases
from lockstep.engine.expressions.catalogue import CATALOGUE, Example
from lockstep.engine.expressions.errors import ExpressionError
from lockstep.engine.expressions.tree import function_names

FOLDER = Path(__file__).parent
TABLES = sorted(FOLDER.glob("*.jsonl"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CASES = [
    pytest.param(line, id=f"{table.stem}-{orjson.loads(line)['id']}")
    for table in TABLES
    for line in table.read_text(encoding="utf-8").splitlines()
    if line.strip()
]
EXAMPLES = [
    pytest.param(example, id=f"{function.name}-{number}")
    for function in CATALOGUE.values()
    for number, example in enumerate(function.examples, 1)
]


@pytest.mark.parametrize("line", CASES)
def test_expression_gives_what_the_table_says(line: str) -> None:
    report = run_cases([line], file="table", now=NOW)

    assert (report.passed, report.failures, report.malformed) == (1, (), ())


@pytest.mark.parametrize("example", EXAMPLES)
def test_documented_example_is_true(example: Example) -> None:
    line = orjson.dumps(
        {
            "expr": example.expression,
            "in": example.attributes or {},
            "now": example.now or None,
            "taken": list(example.taken),
            "out": example.result,
        }
    ).decode()

    report = run_cases([line], file="catalogue", now=NOW)

    assert (report.passed, report.failures, report.malformed) == (1, (), ())


def test_every_function_has_a_case_and_an_example() -> None:
    used: set[str] = set()
    for table in TABLES:
        for line in table.read_text(encoding="utf-8").splitlines():
            try:
                used |= function_names(parse(orjson.loads(line)["expr"]))
            except ExpressionError:
                continue

    assert set(CATALOGUE) - used == set()
    assert [function.name for function in CATALOGUE.values() if not function.examples] == []


def test_the_whole_language_is_there() -> None:
    documented = (
        "Append AppRoleAssignments AppRoleAssignmentsComplex AssertiveAppRoleAssignmentsComplex BitAnd CBool CDate Coalesce Contains "
        "ConvertFromBase64 ConvertToBase64 ConvertToUTF8Hex Count CRef CStr DateAdd DateDiff DateFromNum DefaultDomain DNComponent Error "
        "FormatDateTime Guid IgnoreFlowIfNullOrEmpty IIF InStr IsNull IsNullOrEmpty IsPresent IsString Item Join Left Len Mid "
        "NormalizeDiacritics Not Now NumFromDate PCase RandomString Redact RemoveDuplicates Replace SelectUniqueValue "
        "SingleAppRoleAssignment Split StringFromSid StripSpaces Switch ToLower ToUpper Trim Word"
    )

    assert sorted(CATALOGUE) == sorted(documented.split())
