"""Read and write scoping filters.

A filter is `{title, all: [condition, ...]}`. A condition is a clause `{attribute, operator, value}`, a group `{all: [...]}`,
`{any: [...]}` or `{not: condition}`, a membership `{memberOf: group}` or an expression `{expression: text}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lockstep.configuration.document.strict_json import Part, unknown_word
from lockstep.engine.expressions import ExpressionError, compile_expression
from lockstep.engine.rules.conditions import (
    AllOf,
    AnyOf,
    Clause,
    Condition,
    ExpressionClause,
    MemberOf,
    NotThis,
    ScopingFilter,
    clause,
)
from lockstep.engine.rules.operators import OPERATORS, BadOperand

MAX_DEPTH = 16


def filter_from_json(part: Part) -> ScopingFilter:
    """Compile one filter. Raises ConfigurationError."""
    scoping = ScopingFilter(
        title=part.text("title", required=True),
        condition=AllOf(part.read_each("all", condition_from_json)),
        extra=part.raw("x-entra") or {},
    )
    part.done()
    if not scoping.condition.conditions:
        # An empty filter would pass everyone and, because filters are OR-ed, make all others ineffective.
        raise part.error("all", "a filter needs at least one condition")
    return scoping


def filter_to_json(scoping: ScopingFilter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": scoping.title,
        "all": [condition_to_json(c) for c in scoping.condition.conditions],
    }
    return found | ({"x-entra": dict(scoping.extra)} if scoping.extra else {})


def condition_from_json(part: Part, depth: int = 0) -> Condition:
    """Compile one condition, including nested groups. Raises ConfigurationError."""
    if depth > MAX_DEPTH:
        raise part.error("all", f"conditions can be nested at most {MAX_DEPTH} levels deep")
    condition = _group(part, depth)
    if condition is None:
        condition = _clause(part)
    part.done()
    return condition


def condition_to_json(condition: Condition) -> dict[str, Any]:
    match condition:
        case Clause():
            found = {"attribute": condition.attribute, "operator": condition.operator.name}
            if not condition.operator.is_unary:
                found["value"] = condition.value
            return found | ({"of": condition.quantifier} if condition.quantifier else {})
        case AllOf(inner):
            return {"all": [condition_to_json(part) for part in inner]}
        case AnyOf(inner):
            return {"any": [condition_to_json(part) for part in inner]}
        case NotThis(part):
            return {"not": condition_to_json(part)}
        case MemberOf(group):
            return {"memberOf": group}
        case ExpressionClause(compiled):
            return {"expression": compiled.text}


def _group(part: Part, depth: int) -> Condition | None:
    if "all" in part:
        return AllOf(part.read_each("all", lambda inner: condition_from_json(inner, depth + 1)))
    if "any" in part:
        return AnyOf(part.read_each("any", lambda inner: condition_from_json(inner, depth + 1)))
    if "not" in part:
        return NotThis(condition_from_json(part.part("not"), depth + 1))
    if "memberOf" in part:
        return MemberOf(part.text("memberOf", required=True))
    if "expression" in part:
        try:
            return ExpressionClause(compile_expression(part.text("expression", required=True)))
        except ExpressionError as error:
            raise part.error("expression", error.detail) from None
    return None


def _clause(part: Part) -> Clause:
    attribute = part.text("attribute", required=True)
    name = part.text("operator", required=True)
    operator = _OPERATOR_NAMES.get(_folded(name))
    if operator is None:
        raise part.error("operator", unknown_word(name, list(OPERATORS), "operator"))
    quantifier = part.text("of")
    if quantifier not in ("", "any", "all"):
        raise part.error("of", unknown_word(quantifier, ("any", "all")))
    value = _operand(part, unary=OPERATORS[operator].is_unary, operator=operator)
    try:
        return clause(attribute, operator, value, quantifier=quantifier)
    except BadOperand as error:
        raise part.error("value", f"{operator} {error}") from None


def _operand(part: Part, *, unary: bool, operator: str) -> str:
    value = part.raw("value")
    if unary:
        if value not in (None, ""):
            raise part.error("value", f"{operator} takes no value")
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if not isinstance(value, str | int):
        raise part.error("value", f"{operator} needs a value")
    return str(value)


def _folded(name: str) -> str:
    return name.lower().replace("_", " ")


# Exported schemas spell some operators in other letter cases, and with an underscore or a space between words.
_OPERATOR_NAMES = {_folded(name): name for name in OPERATORS}


def groups_named(condition: Any) -> Iterator[str]:
    """Yield the groups whose membership a filter or condition tests, at any depth. *condition* may be invalid."""
    if isinstance(condition, Mapping):
        if isinstance(condition.get("memberOf"), str):
            yield condition["memberOf"]
        for key in ("all", "any", "not"):
            yield from groups_named(condition.get(key))
    elif isinstance(condition, Sequence) and not isinstance(condition, str):
        for one in condition:
            yield from groups_named(one)
