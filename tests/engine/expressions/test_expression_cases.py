"""The runner of expression cases: what counts as equal, what is malformed."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from lockstep.engine.expressions.cases import CaseFailure, MalformedCase, Report, run_cases

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(*rows: object) -> Report:
    lines = [row if isinstance(row, str) else orjson.dumps(row).decode() for row in rows]
    return run_cases(lines, file="cases.jsonl", now=NOW)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Count([p])", 2),
        ("Count([p])", "2"),
        ('CBool("1")', True),
        ('CBool("1")', "True"),
        ("[p]", ["a", "b"]),
        ("[absent]", None),
        ('Split([absent], ",")', None),
        ("IgnoreFlowIfNullOrEmpty([absent])", "<dropped>"),
        ('IIF("1"="1", IgnoreObjectFlow, "x")', "<object ignored>"),
        ('Error("x")', "<error>"),
        ("Unknown()", "<error>"),
        ("Guid()", {"regex": "[0-9a-f-]{36}"}),
    ],
)
def test_case_holds(expression: str, expected: object) -> None:
    assert run({"expr": expression, "in": {"p": ["a", "b"]}, "out": expected}).passed == 1


@pytest.mark.parametrize(
    ("expression", "expected", "actual"),
    [
        ("Count([p])", 3, 2),
        ('CBool("1")', "true", "True"),
        ("[p]", ["b", "a"], ["a", "b"]),
        ('Append("", "")', None, ""),
        ("Guid()", {"regex": "[0-9]"}, None),
    ],
)
def test_case_fails_with_both_values(expression: str, expected: object, actual: object) -> None:
    report = run({"expr": expression, "in": {"p": ["a", "b"]}, "out": expected, "id": "x"})

    assert report.passed == 0
    failure = report.failures[0]
    assert (failure.file, failure.line, failure.id, failure.expected) == ("cases.jsonl", 1, "x", expected)
    assert actual is None or failure.actual == actual


def test_refused_evaluation_tells_why() -> None:
    report = run({"expr": "Left([a])", "out": "x"})

    assert report.failures == (
        CaseFailure(
            "cases.jsonl",
            1,
            None,
            "Left([a])",
            "x",
            "<error>",
            'Expression "Left([a])": Left needs 2 arguments (source, number of characters), got 1, at character 1.',
        ),
    )


def test_malformed_lines_are_told_by_number_and_the_rest_runs() -> None:
    report = run(
        {"expr": "Now()", "now": "2021-07-02T15:33:38Z", "out": "7/2/2021 3:33:38 PM"},
        "nonsense",
        "",
        "[]",
        {"expr": "Now()"},
        {"out": 1},
        {"expr": "CStr(1)", "out": 1},
    )

    assert report.passed == 2
    assert [row.line for row in report.malformed] == [2, 4, 5, 6]
    assert report.malformed[1:] == (
        MalformedCase("cases.jsonl", 4, "not a JSON object"),
        MalformedCase("cases.jsonl", 5, '"out" is missing'),
        MalformedCase("cases.jsonl", 6, '"expr" must be the text of an expression'),
    )


@pytest.mark.parametrize(
    "row",
    [
        {"expr": "Now()", "now": "noon", "out": "x"},
        {"expr": "Now()", "taken": "x", "out": "x"},
        {"expr": "Now()", "in": ["x"], "out": "x"},
        {"expr": "Now()", "in": [], "out": "x"},
        {"expr": "Now()", "taken": "", "out": "x"},
        {"expr": "Now()", "out": {"regex": "("}},
    ],
)
def test_part_of_the_wrong_kind_makes_the_line_malformed(row: dict[str, object]) -> None:
    report = run(row)

    assert [line.line for line in report.malformed] == [1]
    assert (report.passed, report.failures) == (0, ())
