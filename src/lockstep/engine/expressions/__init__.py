"""The mapping language: Entra's expressions, parsed, checked, compiled to closures and explained.

Pure: time, randomness and what is taken in the target come in with the EvaluationContext, and nothing but ExpressionError is raised.
"""

from lockstep.engine.expressions.compiled import CompiledExpression, compile_expression
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionError
from lockstep.engine.expressions.parser import parse
from lockstep.engine.expressions.printer import print_expression
from lockstep.engine.expressions.values import DROP, SKIP_OBJECT, Flow, Record, Value

__all__ = [
    "DROP",
    "SKIP_OBJECT",
    "CompiledExpression",
    "EvaluationContext",
    "ExpressionError",
    "Flow",
    "Record",
    "Value",
    "compile_expression",
    "parse",
    "print_expression",
]
