"""Explain the value of an expression: the value of every part, and which parts were not evaluated.

Evaluates the same closures as a normal evaluation, each wrapped in an observer. No value is computed twice or in a different order.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from lockstep.engine.expressions.compiled import compile_expression
from lockstep.engine.expressions.compiler import Compiler
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionError
from lockstep.engine.expressions.kinds import Evaluate
from lockstep.engine.expressions.linking import FLOWS
from lockstep.engine.expressions.printer import print_expression
from lockstep.engine.expressions.tree import EmptySlot, ExpressionNode, KeywordNode, NumberNode, TextNode, children
from lockstep.engine.expressions.values import AttributeRecord, Diverted, ExpressionValue
from lockstep.engine.expressions.work import MAX_WORK


@dataclass(frozen=True, slots=True)
class ExplainedExpression:
    """One part of an expression. *is_reached* is false if the part was not evaluated, such as the branch that IIF did not choose."""

    text: str
    position: int
    value: ExpressionValue
    is_reached: bool
    error: str = ""
    parts: tuple[ExplainedExpression, ...] = ()


def explain(text: str, record: AttributeRecord, context: EvaluationContext) -> ExplainedExpression:
    """Evaluate *text* and explain every part. Raises ExpressionError only if it does not compile.

    A failed evaluation is explained too: *error* is set on the part that failed and on all parts that enclose it.
    """
    tree = compile_expression(text).tree
    observed = _Observed()
    closure = Compiler(text, observed.observe).compile(tree, is_root=True).evaluate
    context.work.left = MAX_WORK
    with suppress(Diverted, ExpressionError):  # the observer has recorded them
        closure(record, context)
    return observed.explained(tree)


class _Observed:
    def __init__(self) -> None:
        self.values: dict[int, ExpressionValue] = {}
        self.errors: dict[int, str] = {}

    def observe(self, node: ExpressionNode, evaluate: Evaluate) -> Evaluate:
        key = id(node)

        def seen(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
            try:
                value = evaluate(record, context)
            except ExpressionError as error:
                self.errors[key] = error.detail
                raise
            except Diverted as diverted:
                self.values[key] = diverted.flow
                raise
            self.values[key] = value
            return value

        return seen

    def explained(self, node: ExpressionNode) -> ExplainedExpression:
        key = id(node)
        parts = tuple(self.explained(child) for child in children(node) if not isinstance(child, EmptySlot))
        match node:
            # Constants are converted at compile time, so the observer never sees them.
            case TextNode(value) | NumberNode(value):
                return ExplainedExpression(print_expression(node), node.position, value, is_reached=True)
            case KeywordNode(word) if key not in self.values:
                return ExplainedExpression(word, node.position, word, is_reached=word not in FLOWS)
        return ExplainedExpression(
            text=print_expression(node),
            position=node.position,
            value=self.values.get(key),
            is_reached=key in self.values or key in self.errors,
            error=self.errors.get(key, ""),
            parts=parts,
        )
