"""A minute of fuzzing: no crash, nothing but our error family, no evaluation that takes long."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from lockstep.engine.expressions import (
    EvaluationContext,
    ExpressionError,
    check,
    compile_expression,
    explain,
    print_expression,
)
from lockstep.engine.moment import Moment
from tests.engine.expressions.expression_strategies import almost_expressions, calls, records, trees

CONTEXT = EvaluationContext(Moment(datetime(2026, 1, 1, tzinfo=UTC), b"soak"), taken={"a"})
SECONDS = 60
LONGEST_SECONDS = 1.0


@pytest.mark.soak
def test_fuzzing_for_a_minute_finds_no_crash_and_no_hang() -> None:
    end = time.monotonic() + SECONDS
    slowest = [0.0]

    @given(almost_expressions | trees.map(print_expression) | calls().map(print_expression), records)
    @settings(
        max_examples=2_000,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def fuzz(text: str, record: dict[str, Any]) -> None:
        if time.monotonic() > end:
            return
        start = time.monotonic()
        check(text)
        try:
            compile_expression(text).evaluate(record, CONTEXT)
            explain(text, record, CONTEXT)
        except ExpressionError:
            pass
        slowest[0] = max(slowest[0], time.monotonic() - start)

    while time.monotonic() < end:
        fuzz()

    assert slowest[0] < LONGEST_SECONDS
