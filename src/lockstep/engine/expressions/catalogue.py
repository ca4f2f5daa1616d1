"""The catalogue of functions. Each decorated Python function documents, checks and evaluates one function of the language.

An eager function receives arguments that were converted to the kinds of its parameters, and never sees an expression. A *form* receives
compiled arguments and decides which of them to evaluate. The examples run as tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lockstep.engine.expressions.context import NOWHERE, EvaluationContext
from lockstep.engine.expressions.converting import converted
from lockstep.engine.expressions.errors import ExpressionError, ExpressionTrouble
from lockstep.engine.expressions.kinds import CompiledClosure, Evaluate, ValueKind, nothing
from lockstep.engine.expressions.tree import CallNode
from lockstep.engine.expressions.values import AttributeRecord, ExpressionValue

Implementation = TypeVar("Implementation", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. The argument of an optional parameter may be empty or left out."""

    name: str
    kind: ValueKind
    meaning: str
    optional: bool = False
    repeats: bool = False
    words: tuple[str, ...] = ()
    needed: bool = False  # null is refused (whole numbers only)


@dataclass(frozen=True, slots=True)
class Example:
    """An example that runs as a test: evaluating *expression* on *attributes* gives *result*. For a random function, *result* is
    {"regex": ...}.
    """

    expression: str
    result: Any
    attributes: Mapping[str, Any] | None = None
    now: str = ""
    taken: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """One function. *evaluate* implements an eager function, *form* builds the closure of a lazy one; exactly one of them is set."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: ValueKind
    meaning: str
    examples: tuple[Example, ...]
    family: str
    evaluate: Callable[..., Any] | None = None
    form: Callable[[Form], Evaluate] | None = None
    minimum: int = 0
    maximum: int | None = None
    remarks: str = ""
    pure: bool = True  # same arguments, same result: constants may be folded
    wants_context: bool = False
    cost: int = 0  # units of work per character of its arguments, if it looks at each character
    chooses: bool = False  # returns one of its arguments unchanged, or charges for its result itself
    top_level_only: bool = False
    even_arguments: bool = False

    @property
    def signature(self) -> str:
        """The signature for the reference: `?` marks optional parameters, `...` those that may repeat."""
        names = [parameter.name + ("?" if parameter.optional else "") for parameter in self.parameters]
        if any(parameter.repeats for parameter in self.parameters):
            names.append("...")
        return f"{self.name}({', '.join(names)})"

    @property
    def argument_names(self) -> str:
        return ", ".join(parameter.name for parameter in self.parameters)

    def parameter(self, index: int) -> Parameter:
        """Return the parameter for argument number *index*, counted from 0. The last parameters may repeat."""
        if index < len(self.parameters):
            return self.parameters[index]
        repeating = [parameter for parameter in self.parameters if parameter.repeats]
        first = self.parameters.index(repeating[0])
        return repeating[(index - first) % len(repeating)]


@dataclass(frozen=True, slots=True)
class Form:
    """A call of a function, as a lazy implementation receives it: the compiled arguments, which are not evaluated yet, and methods to
    report errors in these arguments.
    """

    call: CallNode
    arguments: tuple[CompiledClosure, ...]
    function: Function
    text: str

    def argument(self, index: int, kind: ValueKind, name: str = "") -> Evaluate:
        """Return the closure that evaluates argument *index* and converts its value to *kind*. A missing argument evaluates to None."""
        if index >= len(self.arguments):
            return nothing
        parameter = self.function.parameter(index)
        try:
            read = converted(self.arguments[index], kind, name or parameter.name)
        except ExpressionTrouble as trouble:
            raise self.wrong(trouble.message, index, expected=trouble.expected) from None
        return _numbered(read, index) if parameter.repeats else read

    def constant_text(self, index: int) -> str:
        """Return the constant text of argument *index*; null becomes "". Raises ExpressionError if the argument is not constant."""
        text: str | None = self.argument(index, ValueKind.TEXT)({}, NOWHERE)
        return text or ""

    def is_present(self, index: int) -> bool:
        return index < len(self.arguments) and not self.arguments[index].is_empty

    def wrong(self, message: str, index: int | None = None, *, expected: str = "", name: str = "") -> ExpressionError:
        """Build the compile-time error for argument *index*, or for the whole call. The caller raises it."""
        position = self.call.position if index is None else self.arguments[index].node.position
        name = name or ("" if index is None else self.function.parameter(index).name)
        full = f"{self.function.name} {message}"
        return ExpressionError(
            self.text, position, full, function=self.function.name, argument=name, expected=expected or full
        )

    def error_from(self, trouble: ExpressionTrouble) -> ExpressionError:
        """Convert *trouble* to an error with the text, the function and the position of the argument."""
        position = self.call.position
        hides = "Redact" in self.text or "RandomString" in self.text
        names = [self.function.parameter(index).name for index in range(len(self.arguments))]
        index = trouble.index
        if index is None and trouble.argument in names:
            index = names.index(trouble.argument)
        if index is not None:
            position = self.arguments[index].node.position + trouble.offset
        return ExpressionError(
            self.text,
            position,
            f"{self.function.name} {trouble.text(hides_value=hides)}",
            function=self.function.name,
            argument=trouble.argument,
            expected=trouble.expected,
        )


CATALOGUE: dict[str, Function] = {}


def function(
    name: str, *parameters: Parameter, returns: ValueKind, meaning: str, examples: Sequence[Example], **more: Any
) -> Callable[[Implementation], Implementation]:
    """Register an eager function: all its arguments are evaluated and converted before the implementation is called."""

    def enter(implementation: Implementation) -> Implementation:
        _enter(name, parameters, returns, meaning, examples, implementation, {"evaluate": implementation, **more})
        return implementation

    return enter


def form(
    name: str, *parameters: Parameter, returns: ValueKind, meaning: str, examples: Sequence[Example], **more: Any
) -> Callable[[Implementation], Implementation]:
    """Register a lazy function: it decides which of its arguments to evaluate."""

    def enter(implementation: Implementation) -> Implementation:
        _enter(name, parameters, returns, meaning, examples, implementation, {"form": implementation, **more})
        return implementation

    return enter


def _enter(
    name: str,
    parameters: tuple[Parameter, ...],
    returns: ValueKind,
    meaning: str,
    examples: Sequence[Example],
    implementation: Callable[..., Any],
    more: dict[str, Any],
) -> None:
    settings = {
        "minimum": sum(not parameter.optional for parameter in parameters),
        "maximum": None if any(parameter.repeats for parameter in parameters) else len(parameters),
        "family": implementation.__module__.rpartition(".")[2],
        **more,
    }
    CATALOGUE[name] = Function(name, parameters, returns, meaning, tuple(examples), **settings)


def text(name: str, meaning: str, *, optional: bool = False, repeats: bool = False) -> Parameter:
    return Parameter(name, ValueKind.TEXT, meaning, optional, repeats)


def integer(name: str, meaning: str, *, optional: bool = False, nullable: bool = False) -> Parameter:
    return Parameter(name, ValueKind.INTEGER, meaning, optional, needed=not optional and not nullable)


def anything(name: str, meaning: str, *, optional: bool = False, repeats: bool = False) -> Parameter:
    return Parameter(name, ValueKind.ANY, meaning, optional, repeats)


def several(name: str, meaning: str, *, optional: bool = False, repeats: bool = False) -> Parameter:
    return Parameter(name, ValueKind.VALUES, meaning, optional, repeats)


def word(name: str, meaning: str, words: Sequence[str], *, optional: bool = False) -> Parameter:
    return Parameter(name, ValueKind.WORD, meaning, optional, words=tuple(words))


def date(name: str, meaning: str) -> Parameter:
    return Parameter(name, ValueKind.DATE, meaning)


def _numbered(evaluate: Evaluate, index: int) -> Evaluate:
    """Wrap *evaluate* so that an ExpressionTrouble raised in it names the argument *index*."""

    def numbered(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        try:
            return evaluate(record, context)
        except ExpressionTrouble as trouble:
            trouble.index = index
            raise

    return numbered
