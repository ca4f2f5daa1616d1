"""Redact: a value that no log may show. The value itself flows; before logging, code asks the expression whether it is redacted."""

from __future__ import annotations

from lockstep.engine.expressions.catalogue import Example, Kind, anything, function
from lockstep.engine.expressions.values import Value


@function(
    "Redact",
    anything("value", "what must not appear in a log"),
    returns=Kind.ANY,
    meaning="The value itself; logs show [Redact] in its place.",
    examples=[Example("Redact([userPrincipalName])", "anna@contoso.com", {"userPrincipalName": "anna@contoso.com"})],
)
def redact(value: Value) -> Value:
    return value
