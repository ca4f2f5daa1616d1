"""An error says which function, which argument, which character and what was expected, and never shows redacted values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lockstep.engine.expressions import EvaluationContext, ExpressionError, compile_expression
from lockstep.engine.moment import Moment
from lockstep.errors import Kind

CONTEXT = EvaluationContext(Moment(datetime(2026, 1, 1, tzinfo=UTC), b"errors"))


def error_of(text: str, record: dict[str, Any] | None = None) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text).evaluate(record or {}, CONTEXT)
    return caught.value


def test_error_is_of_the_one_family_and_blames_the_input() -> None:
    assert error_of("Left([mail])").kind is Kind.INVALID
    assert error_of("Left([mail])").exit_code == 64


BARE_WORD = 'write "mail" for a text or [mail] for an attribute'
DETAILS = {
    "Left([mail])": 'Expression "Left([mail])": Left needs 2 arguments (source, number of characters), got 1, at character 1.',
    "Now(1)": 'Expression "Now(1)": Now needs no arguments, got 1, at character 1.',
    'Join(",")': 'Expression "Join(",")": Join needs at least 2 arguments (separator, source), got 1, at character 1.',
    "InStr([a])": 'Expression "InStr([a])": InStr needs 2 to 4 arguments (source, find, start, compare), got 1, at character 1.',
    "join([a])": 'Expression "join([a])": unknown function join; did you mean Join, at character 1.',
    "Left([a], [b]": 'Expression "Left([a], [b]": a ) is missing in the arguments of Left, at character 14.',
    'Left([a], "x")': 'Expression "Left([a], "x")": Left needs a whole number for number of characters, got "x", at character 11.',
    "Left(, 1)": 'Expression "Left(, 1)": Left needs source, but the argument is empty, at character 6.',
    'Left("a" 1)': 'Expression "Left("a" 1)": unexpected \'1\' in the arguments of Left, at character 10.',
    "ToLower(mail)": f'Expression "ToLower(mail)": ToLower got the bare word mail; {BARE_WORD}, at character 9.',
    'Replace([a], , "a(?=b)", , "", , )': (
        'Expression "Replace([a], , "a(?=b)", , "", , )": Replace cannot use this pattern: it uses lookahead (?=...), which '
        "is not supported, at character 2 of the pattern, at character 18."
    ),
}


@pytest.mark.parametrize("text", DETAILS)
def test_error_is_a_sentence_with_the_place(text: str) -> None:
    assert error_of(text).detail == DETAILS[text]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ('Replace(Split("a,b", ","), "a", , , "b", , )', 9),
        ('IIF(Split("a,b", ",") = "a", "x", "y")', 23),
        ('IIF(Split("a,b", ","), "x", "y")', 5),
        ('Switch(Split("a,b", ","), , "a", "b")', 8),
        ('Switch([x], , Split("a,b", ","), "b")', 15),
        ('SelectUniqueValue("a", Split("a,b", ","))', 24),
        ('FormatDateTime("2020", , Split("a,b", ","), "yyyy")', 26),
        ('Replace("a", , Split("a,b", ","), , "b", , )', 16),
        ('Replace("a", , "(?<n>a)", Split("a,b", ","), "b", , )', 27),
        ('Join(Split("a,b", ","), "x")', 6),
    ],
)
def test_several_constant_values_for_one_text_are_refused_while_compiling(text: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)

    assert caught.value.position == position
    assert "got 2 values" in caught.value.detail


def test_error_of_an_inner_function_points_into_the_text() -> None:
    error = error_of('Join("-", "x", Item([p], 3))', {"p": ["a"]})

    assert (error.function, error.argument, error.position) == ("Item", "index", 26)
    assert error.expected == "1 or more"
    assert error.detail.endswith("Item found no value number 3: the attribute has 1 value, at character 26.")


@pytest.mark.parametrize(
    ("text", "position"),
    [('Join("-", "x", [a], [b])', 21), ('SelectUniqueValue("x", [b])', 24), ('Switch("a", , [b], "x")', 15)],
)
def test_error_points_at_the_one_of_many_alike_arguments(text: str, position: int) -> None:
    compiled = compile_expression(text)

    with pytest.raises(ExpressionError) as caught:
        compiled.evaluate({"a": "y", "b": {"complex": "value"}}, EvaluationContext(CONTEXT.moment, taken={"x"}))

    assert caught.value.position == position


def test_error_of_the_short_form_of_a_date_format_names_the_right_argument() -> None:
    error = error_of('FormatDateTime([a], "yyyy", "Q")')

    assert (error.argument, error.position) == ("output format", 29)


def test_error_shows_the_value_that_was_wrong() -> None:
    assert 'got "tomorrow"' in error_of("CDate([start])", {"start": "tomorrow"}).detail


def test_error_of_a_redacted_expression_hides_the_value() -> None:
    detail = error_of("Redact(CDate([birthday]))", {"birthday": "a secret"}).detail

    assert "a secret" not in detail
    assert "got [Redact]" in detail


def test_long_expression_is_shown_around_the_mistake() -> None:
    error = error_of('Join("", "' + "x" * 500 + '", Nope([a]), "' + "y" * 500 + '")')

    assert "Nope([a])" in error.detail
    assert len(error.detail) < 300
    assert error.position == 514


def test_own_message_is_passed_on() -> None:
    assert (
        'Error says: "AccountName is required"'.replace('"', "") in error_of('Error("AccountName is required")').detail
    )
