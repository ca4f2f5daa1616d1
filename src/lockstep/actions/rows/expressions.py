"""Expression functions and the steps of an evaluation, as JSON."""

from __future__ import annotations

from typing import Any

from lockstep.engine.expressions import ExplainedExpression
from lockstep.engine.expressions.cases import plain
from lockstep.engine.expressions.catalogue import Function


def explained_json(part: ExplainedExpression) -> dict[str, Any]:
    """Return an expression and each of its parts as JSON, with their values."""
    told: dict[str, Any] = {
        "expression": part.text,
        "position": part.position,
        "reached": part.is_reached,
        "value": plain(part.value),
    }
    if part.error:
        told["error"] = part.error
    if part.parts:
        told["parts"] = [explained_json(child) for child in part.parts]
    return told


def function_json(function: Function) -> dict[str, Any]:
    return {
        "name": function.name,
        "signature": function.signature,
        "family": function.family,
        "meaning": function.meaning,
        "remarks": function.remarks,
        "returns": function.returns.value,
        "parameters": [
            {
                "name": parameter.name,
                "kind": parameter.kind.value,
                "meaning": parameter.meaning,
                "optional": parameter.optional,
                "repeats": parameter.repeats,
                "words": list(parameter.words),
            }
            for parameter in function.parameters
        ],
        "examples": [
            {"expr": example.expression, "in": example.attributes or {}, "out": example.result}
            for example in function.examples
        ],
    }
