"""Closures that count the work of an evaluation against its limit.

Counting takes time on every call, so only functions that may do much work are charged. A function that chooses between values or returns
a number creates no text and is not charged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lockstep.engine.expressions.catalogue import Form, Function
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.kinds import Evaluate, ValueKind
from lockstep.engine.expressions.values import AttributeRecord, ExpressionValue
from lockstep.engine.expressions.work import CHARACTERS_PER_UNIT, FREE, FREE_UNITS, UNITS_PER_VALUE, size_of

_SEVERAL = (tuple, list)


def in_context(implementation: Callable[..., Any], label: str, read: Sequence[Evaluate], cost: int) -> Evaluate:
    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        value = implementation(context, label, *[argument(record, context) for argument in read])
        if cost:
            context.work.charge(cost * size_of(value))
        return value

    return evaluate


def charged_one(implementation: Callable[..., Any], read: Sequence[Evaluate], cost: int) -> Evaluate:
    argument, free = read[0], min(FREE, FREE_UNITS // cost)

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        value = argument(record, context)
        if value is not None:
            size = len(value) if value.__class__ is str else size_of(value)
            if size > free:
                context.work.charge(cost * size)
        return implementation(value)

    return evaluate


def charged_roles(implementation: Callable[..., Any], read: Sequence[Evaluate], cost: int) -> Evaluate:
    """Return a closure that calls *implementation* and charges for the number of role assignments. The texts of the assignments cost
    nothing, because they are not copied.
    """
    argument, free = read[0], FREE_UNITS // cost

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        value = argument(record, context)
        if value.__class__ in _SEVERAL and len(value) > free:
            context.work.charge(cost * len(value))
        return implementation(value)

    return evaluate


def charged(implementation: Callable[..., Any], read: Sequence[Evaluate], cost: int) -> Evaluate:
    free = min(FREE, FREE_UNITS // cost)

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        arguments = [argument(record, context) for argument in read]
        size = 0
        for value in arguments:
            size += len(value) if value.__class__ is str else size_of(value)
        if size > free:
            context.work.charge(cost * size)
        return implementation(*arguments)

    return evaluate


def makes_long_results(function: Function) -> bool:
    """Whether the result of *function* can be long. False if the arguments limit the length of the result, because the arguments have
    already been charged for.
    """
    if function.chooses or (function.cost and function.returns is ValueKind.TEXT):
        return False
    return function.returns in (ValueKind.TEXT, ValueKind.VALUES, ValueKind.ANY)


def located(evaluate: Evaluate, form: Form) -> Evaluate:
    """Wrap *evaluate* so that an ExpressionTrouble becomes an ExpressionError with its position in the expression."""

    def with_position(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        try:
            return evaluate(record, context)
        except ExpressionTrouble as trouble:
            raise form.error_from(trouble) from None

    return with_position


def made(evaluate: Evaluate, form: Form) -> Evaluate:
    """Like `located`, but also charge for the result."""

    def with_position(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        try:
            value = evaluate(record, context)
            if value.__class__ is str:
                if len(value) > FREE:
                    context.work.charge(len(value) // CHARACTERS_PER_UNIT)
            elif value.__class__ is tuple:
                context.work.charge(UNITS_PER_VALUE * len(value))
            return value
        except ExpressionTrouble as trouble:
            raise form.error_from(trouble) from None

    return with_position
