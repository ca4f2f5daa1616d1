"""Functions that choose one of several values, or none.

They are lazy: only the arguments that are needed are evaluated. A default that would fail is harmless while it is not used.
"""

from __future__ import annotations

from collections.abc import Callable

from lockstep.engine.expressions.catalogue import Example, Form, Parameter, anything, form, function, text
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.kinds import Evaluate, ValueKind
from lockstep.engine.expressions.values import (
    DROP,
    TRUE,
    AttributeRecord,
    Diverted,
    ExpressionValue,
    is_nothing,
    truth,
)


@form(
    "IIF",
    Parameter("condition", ValueKind.CONDITION, "one comparison (=, <>, >, >=, <, <=) or a boolean"),
    anything("value if true", "the result if the condition holds"),
    anything("value if false", "the result if it does not"),
    returns=ValueKind.ANY,
    chooses=True,
    meaning="One of two values, depending on a condition. Only the chosen value is evaluated. An absent attribute compares as empty text.",
    remarks="AND and OR do not exist: nest IIF in the second argument for AND, in the third for OR.",
    examples=[
        Example('IIF([country]="USA",[country],[department])', "Sales", {"country": "SE", "department": "Sales"}),
        Example(
            'IIF([country]="USA",IIF([state]="CA","True","False"),"False")', "True", {"country": "USA", "state": "CA"}
        ),
    ],
)
def iif(call: Form) -> Evaluate:
    condition = call.argument(0, ValueKind.CONDITION)
    then, otherwise = call.arguments[1].evaluate, call.arguments[2].evaluate

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        return then(record, context) if condition(record, context) else otherwise(record, context)

    return evaluate


@form(
    "Switch",
    text("source", 'compared with the keys; an absent value equals the key ""'),
    anything("default", "the result if no key matches; may be left empty", optional=True),
    text("key", "compared case-sensitively", repeats=True),
    anything("value", "the result for that key", repeats=True),
    returns=ValueKind.ANY,
    chooses=True,
    meaning="The value whose key equals the source, otherwise the default, otherwise null. Only the chosen value is evaluated.",
    remarks='Do not use IsPresent, IsNull or IsNullOrEmpty as the source. To handle a missing value, add the key "" and a result for it.',
    even_arguments=True,
    minimum=4,
    examples=[
        Example(
            'Switch([state], "Australia/Sydney", "NSW", "Australia/Sydney","QLD", "Australia/Brisbane", "SA", "Australia/Adelaide")',
            "Australia/Brisbane",
            {"state": "QLD"},
        ),
        Example('Switch([IsSoftDeleted], , "False", "True", "True", "False")', "True", {"IsSoftDeleted": "False"}),
        Example('Switch([country],[country],"","Other")', "Other", {}),
    ],
)
def switch(call: Form) -> Evaluate:
    source = call.argument(0, ValueKind.TEXT)
    default = call.arguments[1].evaluate
    pairs = range(2, len(call.arguments), 2)
    values = [call.arguments[index + 1].evaluate for index in pairs]
    if not all(call.arguments[index].is_constant for index in pairs):
        return _switch_on_computed_keys(
            source, default, [call.argument(index, ValueKind.TEXT) for index in pairs], values
        )
    by_key: dict[str, Evaluate] = {}
    for index, value in zip(pairs, values, strict=True):
        by_key.setdefault(call.constant_text(index), value)
    find = by_key.get

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        return find(source(record, context) or "", default)(record, context)

    return evaluate


def _switch_on_computed_keys(
    source: Evaluate, default: Evaluate, keys: list[Evaluate], values: list[Evaluate]
) -> Evaluate:
    pairs = list(zip(keys, values, strict=True))

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        wanted = source(record, context) or ""
        for key, value in pairs:
            if (key(record, context) or "") == wanted:
                return value(record, context)
        return default(record, context)

    return evaluate


@form(
    "Coalesce",
    anything("source", "tried in order; null and empty values are skipped", repeats=True),
    returns=ValueKind.ANY,
    chooses=True,
    meaning="The first source that is neither null nor empty; if there is none, the last argument as it is.",
    minimum=1,
    examples=[
        Example(
            "Coalesce([mail],[userPrincipalName])",
            "John.Doe@contoso.com",
            {"userPrincipalName": "John.Doe@contoso.com"},
        ),
        Example('Coalesce([mail], "none")', "none", {"mail": ""}),
    ],
)
def coalesce(call: Form) -> Evaluate:
    *sources, last = [argument.evaluate for argument in call.arguments]
    if len(sources) == 1:
        return _coalesce_two(sources[0], last)

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        for source in sources:
            value = source(record, context)
            if not is_nothing(value):
                return value
        return last(record, context)

    return evaluate


def _coalesce_two(first: Evaluate, last: Evaluate) -> Evaluate:
    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        value = first(record, context)
        return last(record, context) if is_nothing(value) else value

    return evaluate


@function(
    "IgnoreFlowIfNullOrEmpty",
    anything("expression", "the value to write"),
    returns=ValueKind.ANY,
    meaning="The value itself; if it is null or empty, the attribute is left out of the flow.",
    examples=[
        Example("IgnoreFlowIfNullOrEmpty([department])", "<dropped>", {"department": ""}),
        Example(
            'IgnoreFlowIfNullOrEmpty(Switch([prefix], "", "3443", "Dr.", "3444", "Prof.", "3445", "Prof. Dr."))',
            "Dr.",
            {"prefix": "3443"},
        ),
    ],
)
def ignore_flow_if_null_or_empty(expression: ExpressionValue) -> ExpressionValue:
    if is_nothing(expression):
        raise Diverted(DROP)
    return expression


@function(
    "CBool",
    Parameter("expression", ValueKind.CONDITION, "a comparison, a number or a boolean"),
    returns=ValueKind.BOOLEAN,
    meaning="True if the comparison holds, the number is not zero, or the text is true; otherwise False.",
    examples=[Example("CBool([attribute1] = [attribute2])", "True", {"attribute1": "x", "attribute2": "x"})],
)
def cbool(expression: bool) -> str:
    return truth(expression)


@function(
    "Not",
    text("source", "True or False"),
    returns=ValueKind.BOOLEAN,
    meaning='False if the source is "True", otherwise True.',
    examples=[Example("Not([accountEnabled])", "False", {"accountEnabled": "True"})],
)
def negation(source: str | None) -> str:
    return truth(source != TRUE)


def _question(name: str, meaning: str, examples: list[Example], holds: Callable[[ExpressionValue], bool]) -> None:
    """Register a function that tests one value."""

    def answer(expression: ExpressionValue) -> str:
        return truth(holds(expression))

    answer.__module__ = __name__
    function(
        name, anything("expression", "the value to test"), returns=ValueKind.BOOLEAN, meaning=meaning, examples=examples
    )(answer)


_question(
    "IsNull",
    "True if the value is null: the attribute is absent.",
    [Example("IsNull([displayName])", "True", {}), Example("IsNull([displayName])", "False", {"displayName": ""})],
    lambda value: value is None or value == (),
)
_question(
    "IsNullOrEmpty",
    "True if the value is null or an empty text. The inverse of IsPresent.",
    [Example("IsNullOrEmpty([displayName])", "True", {"displayName": ""})],
    is_nothing,
)
_question(
    "IsPresent",
    "True if the value is neither null nor an empty text. The inverse of IsNullOrEmpty.",
    [Example("IsPresent([displayName])", "True", {"displayName": "Anna"})],
    lambda value: not is_nothing(value),
)
_question(
    "IsString",
    "True if CStr can convert the value to a text: a text, a number or a boolean.",
    [
        Example("IsString([displayName])", "True", {"displayName": "Anna"}),
        Example("IsString([displayName])", "False", {}),
    ],
    lambda value: isinstance(value, (str, int)),
)


@function(
    "Error",
    text("message", "what the log says about this object"),
    returns=ValueKind.ANY,
    meaning="Rejects the object with your own message.",
    examples=[
        Example('IIF(IsPresent([accountName]),[accountName],Error("AccountName is required"))', "<error>", {}),
    ],
)
def error(message: str | None) -> ExpressionValue:
    raise ExpressionTrouble(f"says: {message or 'no message'}", expected="a value")
