"""Print a tree as text in one canonical form. Parsing the printed text gives the same tree."""

from __future__ import annotations

from lockstep.engine.expressions.tree import (
    Attribute,
    Call,
    Comparison,
    EmptySlot,
    Expression,
    Keyword,
    Number,
    Text,
)


def print_expression(node: Expression) -> str:
    """Print *node* as an administrator would write it."""
    match node:
        case Attribute(name):
            return f"[{name}]"
        case Text(value):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case Number(value, is_hex):
            return f"&H{value:X}" if is_hex else str(value)
        case Keyword(word):
            return word
        case EmptySlot():
            return ""
        case Comparison(left, operator, right):
            return f"{print_expression(left)} {operator} {print_expression(right)}"
        case Call(name, arguments):
            return f"{name}({', '.join(print_expression(argument) for argument in arguments)})"
