"""The kinds of values, and closures that evaluate to a value of one kind. The catalogue, the converters and the compiler share them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.tree import AttributeNode, ExpressionNode
from lockstep.engine.expressions.values import AttributeRecord, ExpressionValue

Evaluate: TypeAlias = Callable[[AttributeRecord, EvaluationContext], ExpressionValue]


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
class CompiledClosure:
    """A closure, with the properties of its value that are known at compile time."""

    evaluate: Evaluate
    kind: ValueKind
    node: ExpressionNode
    is_constant: bool = False
    value: ExpressionValue = None
    is_empty: bool = False  # an empty slot
    is_observed: bool = False

    @property
    def attribute(self) -> str | None:
        """The attribute's name if the closure only reads an attribute, otherwise None. With it, callers can read the value directly."""
        # An observed argument must be evaluated by its own closure; otherwise the observer misses its value.
        return self.node.name if isinstance(self.node, AttributeNode) and not self.is_observed else None


def nothing(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
    """Evaluate to null, as an empty or missing argument does."""
    return None
