"""Laws of the mapping language, over generated expressions and records."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings

from lockstep.engine.expressions import (
    Diversion,
    EvaluationContext,
    ExpressionError,
    Severity,
    check,
    compile_expression,
    explain,
    parse,
    print_expression,
)
from lockstep.engine.expressions.tree import ComparisonNode, ExpressionNode, walk
from lockstep.engine.expressions.values import MAX_TEXT
from lockstep.engine.moment import Moment
from tests.engine.expressions.expression_strategies import (
    almost_expressions,
    calls,
    numbers,
    records,
    sensible_records,
    texts,
    trees,
)

CONTEXT = EvaluationContext(
    Moment(datetime(2026, 1, 1, tzinfo=UTC), b"laws"), taken={"a"}, default_domain="contoso.com"
)
fast = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def outcome(text: str, record: dict[str, Any]) -> Any:
    """The value, or the position of the error."""
    try:
        return compile_expression(text).evaluate(record, CONTEXT)
    except ExpressionError as error:
        return ("error", error.position)


def plain_outcome(text: str, record: dict[str, Any]) -> Any:
    """The value; None if the evaluation fails."""
    result = outcome(text, record)
    return None if isinstance(result, tuple) and result[:1] == ("error",) else result


@given(trees)
@fast
def test_parsing_what_is_printed_gives_the_same_tree(tree: ExpressionNode) -> None:
    assert parse(print_expression(tree)) == tree


@given(trees)
@fast
def test_positions_point_at_what_they_name(tree: ExpressionNode) -> None:
    text = print_expression(tree)

    for node in walk(parse(text)):
        begins_with = node.operator if isinstance(node, ComparisonNode) else print_expression(node)
        assert text.startswith(begins_with, node.position - 1)


@given(almost_expressions, records)
@fast
def test_any_text_gives_a_value_or_an_expression_error(text: str, record: dict[str, Any]) -> None:
    result = outcome(text, record)

    if isinstance(result, tuple) and result[:1] == ("error",):
        assert 1 <= result[1] <= len(text) + 1


@given(trees, records)
@fast
def test_any_tree_and_any_record_give_a_value_or_an_expression_error(
    tree: ExpressionNode, record: dict[str, Any]
) -> None:
    result = outcome(print_expression(tree), record)

    assert not isinstance(result, str) or len(result) <= MAX_TEXT


@given(calls(), sensible_records)
@fast
def test_what_evaluates_has_no_error_in_the_check(tree: ExpressionNode, record: dict[str, Any]) -> None:
    text = print_expression(tree)

    try:
        compile_expression(text).evaluate(record, CONTEXT)
    except ExpressionError:
        return

    assert [finding for finding in check(text) if finding.severity is Severity.ERROR] == []


@given(calls())
@fast
def test_what_the_check_calls_an_error_cannot_be_compiled(tree: ExpressionNode) -> None:
    text = print_expression(tree)

    has_errors = any(finding.severity is Severity.ERROR for finding in check(text))

    try:
        compile_expression(text)
    except ExpressionError:
        assert has_errors
    else:
        assert not has_errors


@given(calls(leaves=texts | numbers), sensible_records)
@fast
def test_constants_are_folded_to_the_same_value_or_refused(tree: ExpressionNode, record: dict[str, Any]) -> None:
    text = print_expression(tree)
    try:
        compile_expression(text)
    except ExpressionError:
        return

    assert explain(text, record, CONTEXT).value == plain_outcome(text, record)


@given(calls(), sensible_records)
@fast
def test_only_the_named_attributes_can_change_the_value(tree: ExpressionNode, record: dict[str, Any]) -> None:
    text = print_expression(tree)
    try:
        named = compile_expression(text).attributes
    except ExpressionError:
        return

    assert outcome(text, record) == outcome(text, {name: value for name, value in record.items() if name in named})


@given(calls(), sensible_records)
@fast
def test_explaining_comes_to_the_same_value(tree: ExpressionNode, record: dict[str, Any]) -> None:
    text = print_expression(tree)
    try:
        compile_expression(text)
    except ExpressionError:
        return

    told = explain(text, record, CONTEXT)

    expected = outcome(text, record)
    if isinstance(expected, tuple) and expected[:1] == ("error",):
        assert told.error
    else:
        assert told.value == expected


@given(calls(), sensible_records)
@fast
def test_the_same_moment_gives_the_same_value(tree: ExpressionNode, record: dict[str, Any]) -> None:
    text = print_expression(tree)

    assert outcome(text, record) == outcome(text, record)


@given(calls(), sensible_records)
@fast
def test_a_value_is_of_a_kind_that_a_target_can_take(tree: ExpressionNode, record: dict[str, Any]) -> None:
    result = outcome(print_expression(tree), record)

    assert result is None or isinstance(result, (str, bool, int, tuple, list, dict, Diversion))


@given(almost_expressions)
@fast
def test_an_error_names_its_position_in_its_text(text: str) -> None:
    try:
        compile_expression(text)
    except ExpressionError as error:
        assert re.search(r", at character [0-9]+\.$", error.detail)
        assert str(error.position) in error.detail
        assert error.expected
