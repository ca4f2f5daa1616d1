"""Values that are made once and then stay: random ones, and stamps of the time.

Evaluated anew they would differ for ever. A `Now()` inside a comparison or DateDiff is no stamp: it decides something, and its answer
may change with time.
"""

from __future__ import annotations

from functools import lru_cache

from lockstep.engine.expressions import CompiledExpression
from lockstep.engine.expressions.tree import Call, Comparison, Expression, children
from lockstep.engine.records import Value, Values

RANDOM = frozenset({"Guid", "RandomString", "SelectUniqueValue"})
DECIDING = frozenset({"DateDiff", "CBool"})


def is_generated(compiled: CompiledExpression) -> bool:
    """Whether the expression makes a value that is kept with the link."""
    return bool(compiled.functions) and (not RANDOM.isdisjoint(compiled.functions) or _stamps(compiled))


def reusable(generated: Values, target: str, compiled: CompiledExpression) -> Value:
    """The value made earlier for *target* by the same expression, or None."""
    entry = generated.get(target)
    if isinstance(entry, dict) and entry.get("expression") == compiled.text:
        value = entry.get("value")
        return tuple(value) if isinstance(value, list) else value
    return None


def label_of(target: str, object_id: str) -> str:
    """What keeps the random values of one object's attribute apart from those of others that share its moment."""
    return f"{target} {object_id}"


def is_kept(generated: Values, target: str, compiled: CompiledExpression) -> bool:
    """Whether the same expression made a value for *target* earlier."""
    entry = generated.get(target)
    return isinstance(entry, dict) and entry.get("expression") == compiled.text


def depends_on_today(compiled: CompiledExpression) -> bool:
    """Whether time alone may change the value, so that it is looked at again."""
    return "Now" in compiled.functions and not is_generated(compiled)


def _stamps(compiled: CompiledExpression) -> bool:
    return "Now" in compiled.functions and _shows_now(compiled.text, compiled.tree)


@lru_cache(maxsize=1024)
def _shows_now(text: str, node: Expression) -> bool:
    if isinstance(node, Comparison):
        return False
    if isinstance(node, Call):
        if node.name in DECIDING:
            return False
        if node.name == "Now":
            return True
    return any(_shows_now("", child) for child in children(node))
