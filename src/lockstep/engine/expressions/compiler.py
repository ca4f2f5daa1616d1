"""Compile a tree to closures of the form `evaluate(record, context) -> value`.

Constants are converted and folded once, at compile time. A closure that reads an attribute also converts it, so the most common kind of
evaluation takes one call. Reporting errors costs nothing until an error occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from lockstep.engine.expressions.catalogue import Form, Function, Parameter
from lockstep.engine.expressions.charging import (
    charged,
    charged_one,
    charged_roles,
    in_context,
    located,
    made,
    makes_long_results,
)
from lockstep.engine.expressions.comparing import compile_comparison
from lockstep.engine.expressions.context import NO_MOMENT, EvaluationContext
from lockstep.engine.expressions.converting import converted
from lockstep.engine.expressions.errors import ExpressionError, ExpressionTrouble
from lockstep.engine.expressions.kinds import CompiledClosure, Evaluate, ValueKind, nothing
from lockstep.engine.expressions.linking import FLOWS, link
from lockstep.engine.expressions.tree import (
    AttributeNode,
    CallNode,
    ComparisonNode,
    EmptySlot,
    ExpressionNode,
    KeywordNode,
    NumberNode,
    TextNode,
)
from lockstep.engine.expressions.values import FALSE, TRUE, AttributeRecord, Diverted, ExpressionValue

Observe: TypeAlias = Callable[[ExpressionNode, Evaluate], Evaluate]


# The index of the first argument that a function may leave unevaluated. Errors in arguments from there on may never occur.
_BRANCHES = {"IIF": 1, "Switch": 1, "Coalesce": 1, "SelectUniqueValue": 1}


@dataclass(slots=True)
class Compiler:
    """Compiles one expression. `explain` passes *observe*, which wraps every closure. With *observe*, no constants are folded."""

    text: str
    observe: Observe | None = None
    folded_errors: list[ExpressionError] = field(default_factory=list)
    # One shared context, so that everything that is folded shares one budget of work.
    folding_context: EvaluationContext = field(default_factory=lambda: EvaluationContext(NO_MOMENT))
    is_in_branch: bool = False  # the part being compiled may never be evaluated

    def compile(self, node: ExpressionNode, *, is_root: bool = False) -> CompiledClosure:
        compiled = self._compile(node, is_root=is_root)
        if self.observe is None:
            return compiled
        return replace(compiled, evaluate=self.observe(node, compiled.evaluate), is_observed=True)

    def _compile(self, node: ExpressionNode, *, is_root: bool) -> CompiledClosure:
        match node:
            case AttributeNode(name):
                return CompiledClosure(read_attribute(name), ValueKind.ANY, node)
            case TextNode(value):
                return constant(value, ValueKind.TEXT, node)
            case NumberNode(value):
                return constant(value, ValueKind.INTEGER, node)
            case EmptySlot():
                return CompiledClosure(nothing, ValueKind.ANY, node, is_constant=True, is_empty=True)
            case KeywordNode(word):
                return _keyword(word, node)
            case ComparisonNode():
                left, right = self.compile(node.left), self.compile(node.right)
                return CompiledClosure(self._comparison(node, left, right), ValueKind.CONDITION, node)
            case CallNode():
                return self._call(node, is_root=is_root)

    def _comparison(self, node: ComparisonNode, left: CompiledClosure, right: CompiledClosure) -> Evaluate:
        try:
            return compile_comparison(node.operator, left, right)
        except ExpressionTrouble as trouble:
            message = f"the comparison {trouble.message}"
            raise ExpressionError(self.text, node.position, message, expected=trouble.expected) from None

    def _call(self, node: CallNode, *, is_root: bool) -> CompiledClosure:
        function = link(node, self.text, is_root=is_root)
        arguments = tuple(self._branch(function, index, argument) for index, argument in enumerate(node.arguments))
        form = Form(node, arguments, function, self.text)
        try:
            evaluate = function.form(form) if function.form else _plain(form)
        except ExpressionError as error:
            # An invalid pattern is always an error, even in a branch. A value of the wrong kind is an error only when it is
            # evaluated.
            if not self.is_in_branch or function.name == "Replace":
                raise
            self.folded_errors.append(error)
            return CompiledClosure(_failing(error), function.returns, node)
        wrapped = (made if makes_long_results(function) else located)(evaluate, form)
        compiled = CompiledClosure(wrapped, function.returns, node)
        constant_arguments = all(argument.is_constant for argument in arguments)
        return self._folded(compiled, function) if constant_arguments else compiled

    def _branch(self, function: Function, index: int, argument: ExpressionNode) -> CompiledClosure:
        outside, self.is_in_branch = (
            self.is_in_branch,
            self.is_in_branch or index >= _BRANCHES.get(function.name, index + 1),
        )
        compiled = self.compile(argument)
        self.is_in_branch = outside
        return compiled

    def _folded(self, compiled: CompiledClosure, function: Function) -> CompiledClosure:
        if self.observe is not None or not function.pure or function.wants_context:
            return compiled
        try:
            value = compiled.evaluate({}, self.folding_context)
        except ExpressionError as error:
            # Not a compile error: the call may be in a branch that is never evaluated, and the function `Error` is meant to
            # fail.
            if function.name != "Error":
                self.folded_errors.append(error)
            return compiled
        except Diverted:
            return compiled
        return constant(value, compiled.kind, compiled.node)


def constant(value: ExpressionValue, kind: ValueKind, node: ExpressionNode) -> CompiledClosure:
    return CompiledClosure(lambda record, context: value, kind, node, is_constant=True, value=value)


def read_attribute(name: str) -> Evaluate:
    return lambda record, context: record.get(name)


def _failing(error: ExpressionError) -> Evaluate:
    def fail(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        raise error.with_traceback(None)

    return fail


def _keyword(word: str, node: KeywordNode) -> CompiledClosure:
    flow = FLOWS.get(word)
    if flow is None:
        # Truth values may be written as bare words. All other words were already checked against the parameter's list.
        return constant(word, ValueKind.BOOLEAN if word in (TRUE, FALSE) else ValueKind.WORD, node)

    def divert(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        raise Diverted(flow)

    return CompiledClosure(divert, ValueKind.ANY, node)


def _plain(form: Form) -> Evaluate:
    """Build the closure of an eager function."""
    implementation = form.function.evaluate
    assert implementation is not None  # noqa: S101  # the catalogue sets exactly one of form and evaluate
    read = [_argument(form, index) for index in range(len(form.arguments))]
    if form.function.wants_context:
        label = f"{form.call.position}:{form.text}"
        return in_context(implementation, label, read, form.function.cost)
    if not form.function.cost:
        return _by_arity(implementation, read)
    if form.function.parameters[0].kind is ValueKind.ROLES:
        return charged_roles(implementation, read, form.function.cost)
    return (charged_one if len(read) == 1 else charged)(implementation, read, form.function.cost)


def _by_arity(implementation: Callable[..., Any], read: Sequence[Evaluate]) -> Evaluate:
    # Written out for one to three arguments, because building a list for each call would double the time.
    match read:
        case [first]:
            return lambda record, context: implementation(first(record, context))
        case [first, second]:
            return lambda record, context: implementation(first(record, context), second(record, context))
        case [first, second, third]:
            return lambda record, context: implementation(
                first(record, context), second(record, context), third(record, context)
            )
        case _:
            return lambda record, context: implementation(*[argument(record, context) for argument in read])


def _argument(form: Form, index: int) -> Evaluate:
    parameter: Parameter = form.function.parameter(index)
    try:
        return converted(form.arguments[index], parameter.kind, parameter.name, needed=parameter.needed)
    except ExpressionTrouble as trouble:
        raise form.wrong(trouble.message, index, expected=trouble.expected) from None
