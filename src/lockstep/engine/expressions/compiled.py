"""A compiled expression, which can be evaluated repeatedly and on any record.

Compiling is cached by text. `evaluate` raises only ExpressionError, whatever the record contains.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache

from lockstep.engine.expressions import functions as _functions
from lockstep.engine.expressions.catalogue import CATALOGUE
from lockstep.engine.expressions.compiler import Compiler
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionError
from lockstep.engine.expressions.kinds import Evaluate, ValueKind
from lockstep.engine.expressions.linking import bare_word
from lockstep.engine.expressions.parser import CACHED_TEXT, parse
from lockstep.engine.expressions.tree import (
    AttributeNode,
    CallNode,
    EmptySlot,
    ExpressionNode,
    KeywordNode,
    attribute_names,
    function_names,
    walk,
)
from lockstep.engine.expressions.values import AttributeRecord, Diverted, ExpressionValue
from lockstep.engine.expressions.work import MAX_WORK

assert _functions.__all__  # noqa: S101  # importing the families fills the catalogue
MAX_PATTERNS = 50


@dataclass(frozen=True, slots=True)
class CompiledExpression:
    """A compiled expression. *attributes* are all attributes that can change its value. Finding them needs no evaluation."""

    text: str
    tree: ExpressionNode
    attributes: frozenset[str]
    functions: frozenset[str]
    size: int  # number of parts; each is evaluated at most once, so this bounds the steps of an evaluation
    raw: Evaluate

    def evaluate(self, record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        """Return the value, DROP or SKIP_OBJECT. Raises ExpressionError."""
        context.work.left = MAX_WORK
        try:
            return self.raw(record, context)
        except Diverted as diverted:
            return diverted.flow

    @property
    def attribute(self) -> str | None:
        """The attribute's name if the whole expression is `[attribute]`, otherwise None. With the name, callers can read the value
        directly.
        """
        return self.tree.name if isinstance(self.tree, AttributeNode) else None

    @property
    def gives_several(self) -> bool:
        """Whether the value is a list, whatever its length."""
        function = CATALOGUE.get(self.tree.name) if isinstance(self.tree, CallNode) else None
        return function is not None and function.returns is ValueKind.VALUES

    @property
    def is_redacted(self) -> bool:
        """Whether the value must not appear in any log."""
        return "Redact" in self.functions

    def unique_candidates(self, record: AttributeRecord, context: EvaluationContext) -> tuple[str, ...]:
        """Return the candidates of SelectUniqueValue in order. The result is empty if the expression is not a call of SelectUniqueValue.

        The caller asks the target which candidates are taken, and passes the taken ones to the evaluation.
        """
        if not isinstance(self.tree, CallNode) or self.tree.name != "SelectUniqueValue":
            return ()
        asked: list[str] = []

        def note(value: str) -> bool:
            asked.append(value)
            return True

        context.work.left = MAX_WORK
        # Every candidate counts as taken, so the evaluation always ends in an error. `evaluate` reports errors in the rules
        # themselves.
        with suppress(ExpressionError, Diverted):
            self.raw(record, replace(context, taken=note))
        return tuple(dict.fromkeys(asked))


def compile_expression(text: str) -> CompiledExpression:
    """Compile *text*, using a cache unless it is very long. Raises ExpressionError for the first problem."""
    return _compiled(text) if len(text) <= CACHED_TEXT else compile_tree(parse(text), text)


@lru_cache(maxsize=1024)
def _compiled(text: str) -> CompiledExpression:
    return compile_tree(parse(text), text)


def compile_tree(tree: ExpressionNode, text: str) -> CompiledExpression:
    """Compile *tree*. Errors quote *text*, and positions refer to it."""
    if isinstance(tree, KeywordNode):
        raise bare_word(tree, text)
    _check_patterns(tree, text)
    compiled = Compiler(text).compile(tree, is_root=True)
    return CompiledExpression(
        text=text,
        tree=tree,
        attributes=attribute_names(tree),
        functions=function_names(tree),
        size=sum(1 for _ in walk(tree)),
        raw=compiled.evaluate,
    )


def _check_patterns(tree: ExpressionNode, text: str) -> None:
    """Raise ExpressionError if there are too many patterns. Each pattern has a bounded cost, but patterns are the most expensive part of an
    expression.
    """
    calls = [
        node for node in walk(tree) if isinstance(node, CallNode) and node.name == "Replace" and _has_pattern(node)
    ]
    if len(calls) > MAX_PATTERNS:
        message = f"an expression can use at most {MAX_PATTERNS} patterns; this one has {len(calls)}"
        position = calls[MAX_PATTERNS].position
        raise ExpressionError(
            text, position, message, function="Replace", argument="pattern", expected="fewer patterns"
        )


def _has_pattern(call: CallNode) -> bool:
    return len(call.arguments) > 2 and not isinstance(call.arguments[2], EmptySlot)
