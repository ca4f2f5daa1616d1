"""Compare two values as whole numbers if both are whole numbers, otherwise as case-sensitive texts. An absent value counts as "".

Texts are ordered by character code, so "B" comes before "a".
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.converting import converted
from lockstep.engine.expressions.kinds import CompiledClosure, Evaluate, ValueKind
from lockstep.engine.expressions.values import AttributeRecord, ExpressionValue, parse_integer

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_SHORT = 18  # digits that always fit into 64 bits
_LONGEST = 1_000  # converting a longer number takes too long


def compile_comparison(sign: str, left: CompiledClosure, right: CompiledClosure) -> Evaluate:
    read_left, read_right = converted(left, ValueKind.TEXT, ""), converted(right, ValueKind.TEXT, "")
    compare = _OPERATORS[sign]
    if right.is_constant and sign in ("=", "<>"):
        fixed = read_right({}, None) or ""  # type: ignore[arg-type]
        if _number(fixed) is None:
            return lambda record, context: compare(read_left(record, context) or "", fixed)

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        first, second = read_left(record, context) or "", read_right(record, context) or ""
        number = _number(first)
        other = _number(second) if number is not None else None
        return compare(first, second) if other is None else compare(number, other)

    return evaluate


def _number(text: str) -> int | None:
    """Parse *text* as a whole number of at most `_LONGEST` digits, or return None. Comparisons accept numbers of more than 64 bits;
    everywhere else, numbers are limited to 64 bits.
    """
    if len(text) <= _SHORT:
        return parse_integer(text)
    digits = text.strip()
    unsigned = digits[1:] if digits[:1] in ("+", "-") else digits
    return int(digits) if len(unsigned) <= _LONGEST and unsigned.isascii() and unsigned.isdigit() else None
