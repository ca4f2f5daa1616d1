"""The function Redact: its value is written to the target but never logged. Code that logs values must check
`CompiledExpression.is_redacted`.
"""

from __future__ import annotations

from lockstep.engine.expressions.catalogue import Example, anything, function
from lockstep.engine.expressions.kinds import ValueKind
from lockstep.engine.expressions.values import ExpressionValue


@function(
    "Redact",
    anything("value", "the value to hide in logs"),
    returns=ValueKind.ANY,
    meaning="The value itself; logs show [Redact] instead.",
    examples=[Example("Redact([userPrincipalName])", "anna@contoso.com", {"userPrincipalName": "anna@contoso.com"})],
)
def redact(value: ExpressionValue) -> ExpressionValue:
    return value
