"""Entra's expression language for mappings: parse, check, compile to closures, explain.

Pure: the EvaluationContext supplies time, randomness and the values in use in the target. Only ExpressionError is raised.
"""

from lockstep.engine.expressions.check import ExpressionFinding, Severity, check
from lockstep.engine.expressions.compiled import CompiledExpression, compile_expression
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionError
from lockstep.engine.expressions.explain import ExplainedExpression, explain
from lockstep.engine.expressions.parser import parse
from lockstep.engine.expressions.printer import print_expression
from lockstep.engine.expressions.values import DROP, SKIP_OBJECT, AttributeRecord, Diversion, ExpressionValue

__all__ = [
    "DROP",
    "SKIP_OBJECT",
    "AttributeRecord",
    "CompiledExpression",
    "Diversion",
    "EvaluationContext",
    "ExplainedExpression",
    "ExpressionError",
    "ExpressionFinding",
    "ExpressionValue",
    "Severity",
    "check",
    "compile_expression",
    "explain",
    "parse",
    "print_expression",
]
