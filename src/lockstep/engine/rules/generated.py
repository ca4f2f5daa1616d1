"""Values that are generated once and then kept: random values and timestamps.

If such values were evaluated in every cycle, they would be different every time. An expression that only compares `Now()`, or passes it to
DateDiff, is not kept: its value may change with time.
"""

from __future__ import annotations

from functools import lru_cache

from lockstep.engine.expressions import CompiledExpression
from lockstep.engine.expressions.tree import CallNode, ComparisonNode, ExpressionNode, children
from lockstep.engine.records import Value, Values

RANDOM = frozenset({"Guid", "RandomString", "SelectUniqueValue"})
DECIDING = frozenset({"DateDiff", "CBool"})


def is_generated(compiled: CompiledExpression) -> bool:
    """Whether the expression generates a value that is stored with the link."""
    return bool(compiled.functions) and (not RANDOM.isdisjoint(compiled.functions) or _stamps(compiled))


def reusable(generated: Values, target: str, compiled: CompiledExpression) -> Value:
    """Return the value that the same expression generated for *target* earlier, or None."""
    entry = generated.get(target)
    if isinstance(entry, dict) and entry.get("expression") == compiled.text:
        value = entry.get("value")
        return tuple(value) if isinstance(value, list) else value
    return None


def label_of(target: str, object_id: str) -> str:
    """Return the label for the random values of one attribute of one object. Objects that share a moment get different values because their
    labels differ.
    """
    return f"{target} {object_id}"


def is_kept(generated: Values, target: str, compiled: CompiledExpression) -> bool:
    """Whether *generated* has a value for *target* that the same expression generated earlier. Such a value is kept."""
    entry = generated.get(target)
    return isinstance(entry, dict) and entry.get("expression") == compiled.text


def depends_on_today(compiled: CompiledExpression) -> bool:
    """Whether time alone may change the value. Such a value must be re-evaluated."""
    return "Now" in compiled.functions and not is_generated(compiled)


def _stamps(compiled: CompiledExpression) -> bool:
    return "Now" in compiled.functions and _shows_now(compiled.text, compiled.tree)


@lru_cache(maxsize=1024)
def _shows_now(text: str, node: ExpressionNode) -> bool:
    if isinstance(node, ComparisonNode):
        return False
    if isinstance(node, CallNode):
        if node.name in DECIDING:
            return False
        if node.name == "Now":
            return True
    return any(_shows_now("", child) for child in children(node))
