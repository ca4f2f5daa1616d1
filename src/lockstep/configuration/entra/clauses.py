"""Convert single attribute mappings and filter clauses from and to Entra's JSON.

Entra stores an expression both as text and as a tree. The text is used; a tree that differs from it is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.engine.expressions import ExpressionError, compile_expression, print_expression
from lockstep.engine.expressions.catalogue import CATALOGUE
from lockstep.engine.expressions.tree import AttributeNode, CallNode, EmptySlot, TextNode, walk
from lockstep.engine.expressions.tree import ExpressionNode as Tree
from lockstep.engine.rules.conditions import AllOf, Clause, Condition, ScopingFilter
from lockstep.engine.rules.mappings import Apply, AttributeMapping, Constant, Direct, Expression, Flow, NoSource
from lockstep.engine.rules.operators import text_of

FLOW_TYPES = {
    "Always": Apply.ALWAYS,
    "ObjectAddOnly": Apply.CREATE_ONLY,
    "AttributeAddOnly": Apply.ATTRIBUTE_ADD_ONLY,
    "ValueAddOnly": Apply.VALUE_ADD_ONLY,
    "MultiValueAddOnly": Apply.MULTI_VALUE_ADD_ONLY,
}
FLOW_BEHAVIOURS = {"FlowWhenChanged": Flow.WHEN_CHANGED, "FlowAlways": Flow.ALWAYS}
_FLOW_TYPE_NAMES = {value: name for name, value in FLOW_TYPES.items()}
_FLOW_BEHAVIOUR_NAMES = {value: name for name, value in FLOW_BEHAVIOURS.items()}


class UnsupportedClause(ValueError):
    """Raised for a part of the schema that Lockstep cannot execute. The part is kept for export."""


def attribute_from_entra(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Convert one attribute mapping to Lockstep's JSON. Raises UnsupportedClause."""
    ours: dict[str, Any] = {"target": str(theirs.get("targetAttributeName") or ""), **_source(theirs)}
    default = theirs.get("defaultValue")
    if default not in (None, "") and "constant" not in ours:
        ours["default"] = default
    if match := theirs.get("matchingPriority") or 0:
        ours["match"] = match
    flow_type = theirs.get("flowType") or "Always"
    if flow_type not in FLOW_TYPES:
        raise UnsupportedClause(f"unknown flow type {flow_type!r}")
    behaviour = theirs.get("flowBehavior") or "FlowWhenChanged"
    return (
        ours
        | ({} if flow_type == "Always" else {"apply": FLOW_TYPES[flow_type].value})
        | ({"flow": Flow.ALWAYS.value} if behaviour == "FlowAlways" else {})
    )


def attribute_to_entra(mapping: AttributeMapping) -> dict[str, Any]:
    """Convert one attribute mapping to Entra's JSON."""
    constant = text_of(mapping.source.value) if isinstance(mapping.source, Constant) else None
    return {
        "defaultValue": constant if constant is not None else mapping.default,
        "exportMissingReferences": False,
        "flowBehavior": _FLOW_BEHAVIOUR_NAMES[mapping.flow],
        "flowType": _FLOW_TYPE_NAMES[mapping.apply],
        "matchingPriority": mapping.match,
        "targetAttributeName": mapping.target,
        "source": _source_to_entra(mapping),
    }


def tree_differs(source: Mapping[str, Any]) -> bool:
    """Whether the tree and the text of an expression use different functions or attributes."""
    if not source.get("parameters"):
        return False
    try:
        tree = compile_expression(str(source.get("expression"))).tree
    except ExpressionError:
        return False
    named = {part.name for part in walk(tree) if isinstance(part, AttributeNode | CallNode)}
    return named != set(_names(source))


def clause_from_entra(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Convert one filter clause to Lockstep's JSON. Raises UnsupportedClause."""
    values = [one for one in (theirs.get("targetOperand") or {}).get("values") or [] if one is not None]
    if len(values) > 1:
        raise UnsupportedClause(f"a clause with {len(values)} values")
    ours = {"attribute": str(theirs.get("sourceOperandName") or ""), "operator": str(theirs.get("operatorName") or "")}
    return ours | ({"value": str(values[0])} if values and values[0] != "" else {})


def filter_to_entra(scoping: ScopingFilter) -> dict[str, Any]:
    """Convert one filter to Entra's JSON. Raises UnsupportedClause for conditions that Entra does not have."""
    return {"name": scoping.title, "clauses": [_clause(condition) for condition in _flat(scoping.condition)]}


def _flat(condition: AllOf) -> list[Condition]:
    flat: list[Condition] = []
    for part in condition.conditions:
        flat += _flat(part) if isinstance(part, AllOf) else [part]
    return flat


def _clause(condition: Condition) -> dict[str, Any]:
    if not isinstance(condition, Clause) or condition.operator.beyond_entra or condition.quantifier:
        raise UnsupportedClause("a condition that Entra filters do not support")
    return {
        "operatorName": condition.operator.name,
        "sourceOperandName": condition.attribute,
        "targetOperand": {"values": [] if condition.operator.is_unary else [condition.value]},
    }


def _source(theirs: Mapping[str, Any]) -> dict[str, Any]:
    source = theirs.get("source")
    default = theirs.get("defaultValue")
    if not source or not source.get("expression"):
        # In Entra's JSON a constant has no source, only a default value.
        return {} if default in (None, "") else {"constant": default}
    text = str(source["expression"])
    try:
        compiled = compile_expression(text)
    except ExpressionError as error:
        raise UnsupportedClause(error.detail) from None
    match compiled.tree:
        case AttributeNode(name):
            return {"source": name}
        case TextNode(value):
            return {"constant": value}
        case _:
            return {"expression": text}


def _source_to_entra(mapping: AttributeMapping) -> dict[str, Any] | None:
    match mapping.source:
        case Direct(attribute):
            return _node(AttributeNode(attribute))
        case Expression(compiled):
            return _node(compiled.tree) | {"expression": compiled.text}
        case Constant() | NoSource():
            return None


def _node(tree: Tree) -> dict[str, Any]:
    text = print_expression(tree)
    match tree:
        case AttributeNode(name):
            return {"expression": text, "name": name, "type": "Attribute", "parameters": []}
        case CallNode(name):
            return {"expression": text, "name": name, "type": "Function", "parameters": _parameters(tree)}
        case _:
            return {"expression": text, "name": text, "type": "Constant", "parameters": []}


def _parameters(call: CallNode) -> list[dict[str, Any]]:
    function = CATALOGUE[call.name]
    return [
        {"key": _key(function.parameter(index).name, index), "value": _node(argument)}
        for index, argument in enumerate(call.arguments)
        if not isinstance(argument, EmptySlot)
    ]


def _key(name: str, index: int) -> str:
    words = "".join(character if character.isalnum() else " " for character in name).split()
    return words[0] + "".join(word.capitalize() for word in words[1:]) if words else f"${index}"


def _names(source: Mapping[str, Any]) -> list[str]:
    own = [str(source.get("name"))] if source.get("type") in ("Function", "Attribute") else []
    inner = [_names(pair.get("value") or {}) for pair in source.get("parameters") or []]
    return own + [name for names in inner for name in names]
