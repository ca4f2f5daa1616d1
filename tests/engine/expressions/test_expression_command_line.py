"""`lockstep expr`: what it prints and how it ends."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from lockstep.cli.expr import expr
from lockstep.engine.expressions import ExpressionError
from lockstep.errors import LockstepError

GOOD = '{"expr": "Left([mail], 2)", "in": {"mail": "anna"}, "out": "an"}\n'
BAD = '{"expr": "Left([mail], 2)", "in": {"mail": "anna"}, "out": "na", "id": "two"}\n'


def run(*arguments: str, stdin: str = "", obj: object = None) -> Result:
    return CliRunner().invoke(expr, list(arguments), input=stdin, obj=obj)


def test_eval_prints_the_value_for_given_attributes() -> None:
    result = run("eval", 'Join(" ", [givenName], [surname])', "--set", "givenName=Anna", "--set", "surname=Lindqvist")

    assert (result.exit_code, result.stdout) == (0, "Anna Lindqvist\n")


def test_eval_takes_the_same_name_twice_as_several_values() -> None:
    assert run("eval", 'Join(";", [p])', "--set", "p=a", "--set", "p=b").stdout == "a;b\n"


def test_eval_takes_json_for_structured_values() -> None:
    roles = '[{"id": "1", "value": "admin", "displayName": "Administrator"}]'

    result = run("eval", "SingleAppRoleAssignment([appRoleAssignments])", "--set", f"appRoleAssignments={roles}")

    assert result.stdout == "admin\n"


@pytest.mark.parametrize(
    ("expression", "printed"),
    [("[a]", "<null>\n"), ("IgnoreFlowIfNullOrEmpty([a])", "<dropped>\n"), ('Split("a,b", ",")', "a\nb\n")],
)
def test_eval_prints_what_is_no_text(expression: str, printed: str) -> None:
    assert run("eval", expression).stdout == printed


def test_eval_as_json_keeps_kinds_apart() -> None:
    assert orjson.loads(run("eval", "Len([a])", "--set", "a=abc", "-o", "json").stdout) == {"value": 3}


def test_eval_has_its_own_time_and_taken_values() -> None:
    assert run("eval", "Now()", "--now", "2021-07-02T15:33:38Z").stdout == "7/2/2021 3:33:38 PM\n"
    assert run("eval", 'SelectUniqueValue("a", "b")', "--taken", "a").stdout == "b\n"


def test_eval_explains_every_part() -> None:
    result = run("eval", 'IIF([a]="1", ToUpper([b]), [c])', "--set", "a=1", "--set", "b=x", "--explain")

    assert result.stdout.splitlines() == [
        'IIF([a] = "1", ToUpper([b]), [c])  =  "X"',
        '  [a] = "1"  =  true',
        '    [a]  =  "1"',
        '  ToUpper([b])  =  "X"',
        '    [b]  =  "x"',
        "  [c]  =  not evaluated",
    ]


def test_eval_asks_the_directory_for_a_person() -> None:
    people = {"anna@contoso.com": {"givenName": "Anna"}}

    result = run("eval", "[givenName]", "--user", "anna@contoso.com", obj={"resolve_user": people.__getitem__})

    assert result.stdout == "Anna\n"


def test_eval_for_a_person_without_a_data_folder_says_what_to_do() -> None:
    error = run("eval", "[givenName]", "--user", "anna@contoso.com").exception

    assert isinstance(error, LockstepError)
    assert (error.exit_code, error.next_step) == (
        64,
        "Set attributes instead, for example: --set mail=anna@contoso.com",
    )


def test_eval_of_a_wrong_expression_is_the_callers_mistake() -> None:
    error = run("eval", "Left([mail])").exception

    assert isinstance(error, ExpressionError)
    assert error.exit_code == 64


@pytest.mark.parametrize(
    "arguments",
    [
        ("eval",),
        ("eval", "[a]", "--set", "nothing"),
        ("eval", "Now()", "--now", "noon"),
        ("functions", "Nope"),
        ("test",),
        ("nope",),
        ("--nope",),
    ],
)
def test_wrong_use_ends_with_64(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 64


def test_functions_lists_every_signature() -> None:
    printed = run("functions").stdout

    assert "Switch(source, default?, key, value, ...)\n" in printed
    assert "InStr(source, find, start?, compare?)\n" in printed


def test_functions_explains_one() -> None:
    printed = run("functions", "Left").stdout

    assert printed.startswith("Left(source, number of characters)\n")
    assert 'Left("John Doe", 3)  =  "Joh"' in printed


def test_functions_suggests_a_name() -> None:
    assert "Did you mean Switch?" in run("functions", "swich").stderr


def test_repl_answers_line_by_line_and_survives_mistakes() -> None:
    result = run(
        "repl", stdin="set a=anna\nLeft([a], 2)\nFoo()\nexplain Len([a])\nunset a\nshow\nLen([a])\nquit\nLen([a])\n"
    )

    assert result.stdout.splitlines() == ["an", "Len([a])  =  4", '  [a]  =  "anna"', "<null>"]
    assert "unknown function Foo" in result.stderr
    assert result.exit_code == 0


def test_passing_cases_end_with_0(tmp_path: Path) -> None:
    file = tmp_path / "good.jsonl"
    file.write_text(GOOD * 3)

    result = run("test", str(file))

    assert (result.exit_code, result.stdout) == (0, "3 passed, 0 failed\n")


def test_failing_case_shows_both_values_and_ends_with_1(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(GOOD + BAD)

    result = run("test", str(file))

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{file}:2: two Left([mail], 2)",
        '    expected "na"',
        '    actual   "an"',
        "1 passed, 1 failed",
    ]


def test_several_files_are_counted_together(tmp_path: Path) -> None:
    for name, text in (("a", GOOD), ("b", BAD)):
        (tmp_path / name).write_text(text)

    result = run("test", str(tmp_path / "a"), str(tmp_path / "b"))

    assert result.stdout.splitlines()[-1] == "1 passed, 1 failed"


def test_stdin_is_read_for_a_dash() -> None:
    assert run("test", "-", stdin=GOOD).stdout == "1 passed, 0 failed\n"


def test_json_output_has_the_numbers_and_the_failures() -> None:
    result = run("test", "-", "-o", "json", stdin=GOOD + BAD)

    assert result.exit_code == 1
    assert orjson.loads(result.stdout) == {
        "passed": 1,
        "failed": 1,
        "failures": [
            {"file": "-", "line": 2, "id": "two", "expr": "Left([mail], 2)", "expected": "na", "actual": "an"}
        ],
    }


def test_malformed_line_is_told_by_number_the_rest_runs_and_the_end_is_64() -> None:
    result = run("test", "-", stdin=GOOD + "nonsense\n" + BAD)

    assert result.exit_code == 64
    assert result.stderr.startswith("-:2: not a valid case: ")
    assert result.stdout.splitlines()[-1] == "1 passed, 1 failed"


def test_json_has_the_same_keys_whatever_went_wrong() -> None:
    refused = '{"expr": "Left(", "in": {}, "out": "x"}\n'

    result = run("test", "-", "-o", "json", stdin=GOOD + "nonsense\n" + BAD + refused)

    report = orjson.loads(result.stdout)
    assert result.exit_code == 64
    assert set(report) == {"passed", "failed", "failures"}
    assert [set(row) for row in report["failures"]] == [{"file", "line", "id", "expr", "expected", "actual"}] * 2
    assert "-:2: not a valid case: " in result.stderr and "-:4: " in result.stderr


def test_file_that_cannot_be_read_ends_with_64(tmp_path: Path) -> None:
    result = run("test", str(tmp_path / "missing"))

    assert result.exit_code == 64
    assert "Cannot read" in result.stderr
