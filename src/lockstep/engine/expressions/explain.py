"""Show how an expression came to its value: the value of every part, and which parts were not needed.

The same closures run as in an evaluation, each with an observer around it; nothing is computed twice or in another order.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from lockstep.engine.expressions.compiled import compile_expression
from lockstep.engine.expressions.compiler import Compiler, Evaluate
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionError
from lockstep.engine.expressions.linking import FLOWS
from lockstep.engine.expressions.printer import print_expression
from lockstep.engine.expressions.tree import EmptySlot, Expression, Keyword, Number, Text, children
from lockstep.engine.expressions.values import Diverted, Record, Value
from lockstep.engine.expressions.work import MAX_WORK


@dataclass(frozen=True, slots=True)
class Explained:
    """One part of an expression. *is_reached* is false for what was not needed, such as the other result of IIF."""

    text: str
    position: int
    value: Value
    is_reached: bool
    error: str = ""
    parts: tuple[Explained, ...] = ()


def explain(text: str, record: Record, context: EvaluationContext) -> Explained:
    """The value of *text* and of everything in it. Raises ExpressionError only for what cannot be compiled.

    An evaluation that is refused is explained as well: *error* stands at the part that refused and at all around it.
    """
    tree = compile_expression(text).tree
    observed = _Observed()
    closure = Compiler(text, observed.observe).compile(tree, is_root=True).evaluate
    context.work.left = MAX_WORK
    with suppress(Diverted, ExpressionError):  # the observer has seen them
        closure(record, context)
    return observed.told(tree)


class _Observed:
    def __init__(self) -> None:
        self.values: dict[int, Value] = {}
        self.errors: dict[int, str] = {}

    def observe(self, node: Expression, evaluate: Evaluate) -> Evaluate:
        key = id(node)

        def seen(record: Record, context: EvaluationContext) -> Value:
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

    def told(self, node: Expression) -> Explained:
        key = id(node)
        parts = tuple(self.told(child) for child in children(node) if not isinstance(child, EmptySlot))
        match node:
            # Constants are converted beforehand, so that nobody sees them pass.
            case Text(value) | Number(value):
                return Explained(print_expression(node), node.position, value, is_reached=True)
            case Keyword(word) if key not in self.values:
                return Explained(word, node.position, word, is_reached=word not in FLOWS)
        return Explained(
            text=print_expression(node),
            position=node.position,
            value=self.values.get(key),
            is_reached=key in self.values or key in self.errors,
            error=self.errors.get(key, ""),
            parts=parts,
        )
