"""SelectUniqueValue: choose a value that is not yet in use in the target.

Rules are evaluated in order. A rule that gives no value is skipped. If all values are taken, the evaluation fails and the object goes to
the retry list.
"""

from __future__ import annotations

from lockstep.engine.expressions.catalogue import Example, Form, form, text
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.kinds import Evaluate, ValueKind
from lockstep.engine.expressions.values import AttributeRecord, ExpressionValue

_RULES = (
    'SelectUniqueValue(Join("@", NormalizeDiacritics(StripSpaces(Join(".",  [PreferredFirstName], [PreferredLastName]))), "contoso.com"), '
    'Join("@", NormalizeDiacritics(StripSpaces(Join(".",  Mid([PreferredFirstName], 1, 1), [PreferredLastName]))), "contoso.com"), '
    'Join("@", NormalizeDiacritics(StripSpaces(Join(".",  Mid([PreferredFirstName], 1, 2), [PreferredLastName]))), "contoso.com"))'
)
_JOHN = {"PreferredFirstName": "John", "PreferredLastName": "Smith"}


@form(
    "SelectUniqueValue",
    text("rule", "an expression that produces a candidate value", repeats=True),
    returns=ValueKind.TEXT,
    meaning="The first value that is not in use in the application yet. Only as the outermost function.",
    remarks="Chosen once, when an account is created, regardless of *apply* in the mapping; not for matching attributes.",
    minimum=2,
    top_level_only=True,
    pure=False,
    examples=[
        Example(_RULES, "John.Smith@contoso.com", _JOHN),
        Example(_RULES, "J.Smith@contoso.com", _JOHN, taken=["John.Smith@contoso.com"]),
        Example(_RULES, "Jo.Smith@contoso.com", _JOHN, taken=["John.Smith@contoso.com", "J.Smith@contoso.com"]),
    ],
)
def select_unique_value(call: Form) -> Evaluate:
    rules = [call.argument(index, ValueKind.TEXT) for index in range(len(call.arguments))]

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        tried = 0
        for rule in rules:
            value = rule(record, context)
            if not value:
                continue
            tried += 1
            if not context.is_taken(value):
                return value
        if not tried:
            return None
        what = "the value is" if tried == 1 else f"all {tried} values are"
        raise ExpressionTrouble(
            f"found no unused value: {what} in use in the application", expected="a value that is not in use"
        )

    return evaluate
