"""The catalogue of functions. Each decorated Python function documents, checks and evaluates one function of the language.

An eager function receives arguments that were converted to the kinds of its parameters, and never sees an expression. A *form* receives
compiled arguments and decides which of them to evaluate. The examples run as tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from lockstep.engine.expressions.compiler import Evaluate, Form

Implementation = TypeVar("Implementation", bound=Callable[..., Any])


class ValueKind(Enum):
    """The type of a parameter or result. The enum value is the word shown to administrators."""

    TEXT = "text"
    INTEGER = "whole number"
    BOOLEAN = "boolean"  # the text True or False
    CONDITION = "condition"
    DATE = "date"
    WORD = "word"  # one of a fixed list
    VALUES = "several values"
    ROLES = "role assignments"
    ANY = "any value"


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
