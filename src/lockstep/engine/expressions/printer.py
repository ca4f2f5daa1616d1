"""Print a tree as text in one canonical form. Parsing the printed text gives the same tree."""

from __future__ import annotations

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


def print_expression(node: ExpressionNode) -> str:
    """Print *node* as an administrator would write it."""
    match node:
        case AttributeNode(name):
            return f"[{name}]"
        case TextNode(value):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case NumberNode(value, is_hex):
            return f"&H{value:X}" if is_hex else str(value)
        case KeywordNode(word):
            return word
        case EmptySlot():
            return ""
        case ComparisonNode(left, operator, right):
            return f"{print_expression(left)} {operator} {print_expression(right)}"
        case CallNode(name, arguments):
            return f"{name}({', '.join(print_expression(argument) for argument in arguments)})"
