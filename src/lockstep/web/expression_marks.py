"""Mark the error in an expression, and list completions for the editor."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from lockstep.actions.mapping_pages import source_choices
from lockstep.engine.expressions import ExpressionError, compile_expression
from lockstep.engine.expressions.catalogue import CATALOGUE, Function
from lockstep.engine.records import ObjectKind


@dataclass(frozen=True, slots=True)
class MarkedError:
    """The position of an error. *at* is the character at the error, or a blank at the end of the text. *position* counts from 1."""

    before: str
    at: str
    after: str
    position: int
    message: str
    suggestion: str = ""


def marked(error: ExpressionError, text: str) -> MarkedError:
    index = min(max(error.position - 1, 0), len(text))
    return MarkedError(text[:index], text[index : index + 1] or " ", text[index + 1 :], error.position, error.message)


def error_of(text: str) -> MarkedError | None:
    """Return the first error of an expression, or None if it compiles."""
    try:
        compile_expression(text)
    except ExpressionError as error:
        return marked(error, text)
    return None


def functions() -> list[Function]:
    """Return all functions by name."""
    return sorted(CATALOGUE.values(), key=lambda one: one.name.lower())


@dataclass(frozen=True, slots=True)
class Completion:
    """A word that the expression editor completes. If the word is a function, *parameters* has the function's parameters as JSON."""

    word: str
    label: str
    meaning: str
    parameters: str = ""


def completions(kind: ObjectKind) -> list[Completion]:
    """Return the completions of the expression editor: all functions, and the attributes of the source."""
    return [
        *(Completion(one.name, one.signature, one.meaning, _parameters(one)) for one in functions()),
        *(Completion(f"[{name}]", f"[{name}]", "attribute") for name in source_choices(kind)),
    ]


def _parameters(function: Function) -> str:
    shown = [
        {"name": one.name, "meaning": one.meaning, "optional": one.optional, "repeats": one.repeats}
        for one in function.parameters
    ]
    return orjson.dumps(shown).decode()
