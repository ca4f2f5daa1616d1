"""Closures that convert a value to the kind of a parameter.

A constant is converted only once, when the expression is compiled. For an attribute, one closure both reads and converts it. The result of
a function is converted only if its kind differs.
"""

from __future__ import annotations

from collections.abc import Callable

from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.dates import to_date
from lockstep.engine.expressions.kinds import CompiledClosure, Evaluate, ValueKind
from lockstep.engine.expressions.values import (
    AttributeRecord,
    ExpressionValue,
    needed_integer,
    to_condition,
    to_integer,
    to_text,
    to_values,
)

_CONVERSIONS: dict[ValueKind, Callable[[ExpressionValue, str], ExpressionValue]] = {
    ValueKind.TEXT: to_text,
    ValueKind.WORD: to_text,
    ValueKind.INTEGER: to_integer,
    ValueKind.DATE: to_date,
    ValueKind.VALUES: to_values,
    ValueKind.CONDITION: to_condition,
}
_GIVES_TEXT = frozenset({ValueKind.TEXT, ValueKind.BOOLEAN, ValueKind.WORD, ValueKind.DATE})


def converted(argument: CompiledClosure, kind: ValueKind, name: str, *, needed: bool = False) -> Evaluate:
    """Return a closure that evaluates *argument* and converts the value to *kind*. A constant is converted at once, and ExpressionTrouble
    is raised immediately if the constant cannot be converted.
    """
    convert = needed_integer if needed else _CONVERSIONS.get(kind)
    if convert is None:
        return argument.evaluate
    if argument.is_constant:
        value = convert(argument.value, name)
        return lambda record, context: value
    if argument.kind is kind and kind is not ValueKind.DATE and not needed:
        return argument.evaluate
    if kind is ValueKind.TEXT or kind is ValueKind.WORD:
        if argument.kind in _GIVES_TEXT:
            return argument.evaluate
        return _reading_text(argument, name)
    return _converting(argument, convert, name)


def _reading_text(argument: CompiledClosure, name: str) -> Evaluate:
    attribute = argument.attribute
    evaluate = argument.evaluate

    def read(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        value = record.get(attribute)  # type: ignore[arg-type]
        return value if value is None or value.__class__ is str else to_text(value, name)

    def convert(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        value = evaluate(record, context)
        return value if value is None or value.__class__ is str else to_text(value, name)

    return read if attribute is not None else convert


def _converting(
    argument: CompiledClosure, convert: Callable[[ExpressionValue, str], ExpressionValue], name: str
) -> Evaluate:
    evaluate = argument.evaluate
    if convert is not to_values:
        return lambda record, context: convert(evaluate(record, context), name)

    def read_values(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        value = evaluate(record, context)
        context.work.charge_result(value)
        return to_values(value, name)

    return read_values
