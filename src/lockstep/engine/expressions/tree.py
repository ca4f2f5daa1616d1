"""The immutable tree of an expression. Positions count characters from 1 and are ignored by equality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class AttributeNode:
    """`[name]`, which reads a value of the source object. An absent attribute is null."""

    name: str
    position: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class TextNode:
    """A text in quotes. *value* is the text without quotes and escapes."""

    value: str
    position: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class NumberNode:
    """A whole number without quotes. *is_hex* keeps `&HF` from being printed as 15."""

    value: int
    is_hex: bool = False
    position: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class KeywordNode:
    """A bare word: an enumeration value (`vbBinaryCompare`), a truth value, or an instruction (`IgnoreAttributeFlow`)."""

    word: str
    position: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class EmptySlot:
    """An argument that was left empty, as in `, ,`. It differs from `""`, which is a value."""

    position: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class ComparisonNode:
    """`left operator right`, with one of = <> > >= < <=. Allowed only as the condition of IIF or CBool."""

    left: Operand
    operator: str
    right: Operand
    position: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class CallNode:
    """`Name(argument, ...)`."""

    name: str
    arguments: tuple[ExpressionNode, ...]
    position: int = field(default=1, compare=False)


Operand: TypeAlias = AttributeNode | TextNode | NumberNode | KeywordNode | CallNode
ExpressionNode: TypeAlias = AttributeNode | TextNode | NumberNode | KeywordNode | EmptySlot | ComparisonNode | CallNode


def children(node: ExpressionNode) -> tuple[ExpressionNode, ...]:
    match node:
        case CallNode():
            return node.arguments
        case ComparisonNode():
            return (node.left, node.right)
        case _:
            return ()


def walk(node: ExpressionNode) -> Iterator[ExpressionNode]:
    """Yield *node* and everything below it, from left to right."""
    yield node
    for child in children(node):
        yield from walk(child)


def attribute_names(node: ExpressionNode) -> frozenset[str]:
    return frozenset(part.name for part in walk(node) if isinstance(part, AttributeNode))


def function_names(node: ExpressionNode) -> frozenset[str]:
    return frozenset(part.name for part in walk(node) if isinstance(part, CallNode))
