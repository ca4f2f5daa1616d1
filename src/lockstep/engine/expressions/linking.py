"""Check that a call is valid: the function exists, the number of arguments is right, and bare words occur only where they are allowed.

Names are case-sensitive. The compiler stops at the first problem; the check lists all of them. Both use these rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.engine.expressions.catalogue import CATALOGUE, Function, Parameter
from lockstep.engine.expressions.errors import ExpressionError, shown
from lockstep.engine.expressions.kinds import ValueKind
from lockstep.engine.expressions.tree import CallNode, ComparisonNode, EmptySlot, ExpressionNode, KeywordNode, TextNode
from lockstep.engine.expressions.values import FALSE, TRUE, Diversion
from lockstep.wording import nearest

FLOWS = {"IgnoreAttributeFlow": Diversion.DROP, "IgnoreObjectFlow": Diversion.SKIP_OBJECT}
FLOW_FUNCTIONS = ("IIF", "Switch", "Coalesce")


def link(call: CallNode, text: str, *, is_root: bool) -> Function:
    """Return the function that *call* names. Raises ExpressionError for the first problem."""
    for problem in problems(call, text, is_root=is_root):
        raise problem
    return CATALOGUE[call.name]


def problems(call: CallNode, text: str, *, is_root: bool) -> Iterator[ExpressionError]:
    """Yield every problem of *call* itself, without checking the calls in its arguments."""
    function = CATALOGUE.get(call.name)
    if function is None:
        yield _unknown(call, text)
        return
    if function.top_level_only and not is_root:
        message = f"{call.name} must be the outermost function"
        yield ExpressionError(text, call.position, message, function=call.name, expected="the outermost place")
    wrong_count = _arity(function, len(call.arguments))
    if wrong_count:
        expected = wrong_count.partition(", got")[0]
        yield ExpressionError(text, call.position, wrong_count, function=call.name, expected=expected)
        return
    for index, argument in enumerate(call.arguments):
        problem = _argument(function, function.parameter(index), argument)
        if problem:
            message, expected = problem
            name = function.parameter(index).name
            position = argument.position
            full = f"{call.name} {message}"
            yield ExpressionError(text, position, full, function=call.name, argument=name, expected=expected)


def _unknown(call: CallNode, text: str) -> ExpressionError:
    meant = next(iter(nearest(call.name, CATALOGUE)), None)
    hint = f"; did you mean {meant}?" if meant else ""
    message = f"unknown function {call.name[:60]}{hint}".removesuffix("?")
    error = ExpressionError(
        text, call.position, message, function=call.name, expected=meant or "a function of the catalogue"
    )
    error.next_step = "List the functions with: lockstep expr functions"
    return error


def _arity(function: Function, count: int) -> str:
    low, high = function.minimum, function.maximum
    if count < low or (high is not None and count > high):
        exact = "no" if high == 0 else str(low)
        wanted = f"at least {low}" if high is None else exact if low == high else f"{low} to {high}"
        plural = "" if wanted == "1" else "s"
        names = f" ({function.argument_names})" if function.parameters else ""
        return f"{function.name} needs {wanted} argument{plural}{names}, got {count}"
    if function.even_arguments and count % 2:
        return f"{function.name} needs an even number of arguments ({function.argument_names}), got {count}"
    return ""


def _argument(function: Function, parameter: Parameter, node: ExpressionNode) -> tuple[str, str] | None:
    match node:
        case EmptySlot():
            if not (parameter.optional or parameter.repeats or parameter.kind is ValueKind.ANY):
                return f"needs {_a(parameter)}, but the argument is empty", parameter.kind.value
        case ComparisonNode():
            if parameter.kind is not ValueKind.CONDITION:
                return "cannot take a comparison; only IIF and CBool can", parameter.kind.value
            for side in (node.left, node.right):
                if isinstance(side, KeywordNode) and side.word not in (TRUE, FALSE):
                    return _bare(side.word)
        case KeywordNode(word):
            return _keyword(function, parameter, word)
        case TextNode(value) if parameter.kind is ValueKind.WORD and value not in parameter.words:
            return _words(parameter, value)
        case _:
            pass
    return None


def _keyword(function: Function, parameter: Parameter, word: str) -> tuple[str, str] | None:
    if parameter.kind is ValueKind.WORD:
        return None if word in parameter.words else _words(parameter, word)
    if word in FLOWS:
        if function.name in FLOW_FUNCTIONS and parameter.kind is ValueKind.ANY:
            return None
        return f"cannot take {word}; it is only allowed as a result of IIF, Switch or Coalesce", parameter.kind.value
    if word in (TRUE, FALSE):
        return None
    if word in CATALOGUE:
        return f"got the bare word {word}; write {word}(...) for the function", "a value"
    return _bare(word)


def bare_word(node: KeywordNode, text: str) -> ExpressionError:
    """Return the error for an expression that consists of a single bare word."""
    message, expected = _bare(node.word)
    if node.word in CATALOGUE:
        message = f"is a function without its arguments: write {node.word}(...)"
    return ExpressionError(text, node.position, f"the expression {message}", expected=expected)


def _bare(word: str) -> tuple[str, str]:
    shown_word = word[:60]
    return (
        f'got the bare word {shown_word}; write "{shown_word}" for a text or [{shown_word}] for an attribute',
        "a value",
    )


def _words(parameter: Parameter, word: str) -> tuple[str, str]:
    expected = f"one of {', '.join(parameter.words)}"
    return f"needs {expected} for {parameter.name}, got {shown(word)}", expected


def _a(parameter: Parameter) -> str:
    return f"a value for {parameter.name}" if parameter.kind is ValueKind.ANY else f"{parameter.name}"
