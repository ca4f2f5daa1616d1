"""Functions for several values: join, split, pick, count.

Positions count from 1. Null counts as an empty list.
"""

from __future__ import annotations

from lockstep.engine.expressions.catalogue import Example, Form, form, function, integer, several, text, word
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.kinds import Evaluate, ValueKind
from lockstep.engine.expressions.values import (
    MAX_VALUES,
    AttributeRecord,
    ExpressionValue,
    check_size,
    to_text,
    to_values,
    within_limit,
)
from lockstep.engine.expressions.work import FREE
from lockstep.wording import counted

_FEW = 64
_PROXIES = {"proxyAddresses": ["SMTP:anna@contoso.com", "smtp:a.lind@contoso.com", "smtp:a.lind@contoso.com"]}


@form(
    "Join",
    text("separator", 'placed between the values; "" for none'),
    several("source", "a text, or a multi-valued attribute whose values are all joined", repeats=True),
    returns=ValueKind.TEXT,
    chooses=True,
    meaning="All values in one text, with the separator between them. Null and empty values are skipped.",
    examples=[
        Example('Join(" ", [givenName], [surname])', "Anna Lindqvist", {"givenName": "Anna", "surname": "Lindqvist"}),
        Example('Join(", ", "", [surname], [givenName])', "Doe, John", {"givenName": "John", "surname": "Doe"}),
        Example('Join(";", [proxyAddresses])', "a;b", {"proxyAddresses": ["a", "b"]}),
    ],
)
def join(call: Form) -> Evaluate:
    separator = call.argument(0, ValueKind.TEXT)
    sources = [argument.evaluate for argument in call.arguments[1:]]
    if not call.arguments[0].is_constant or len(sources) > _FEW:
        return _join_many(separator, sources)
    glue = call.constant_text(0)

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        parts: list[str] = []
        for source in sources:
            value = source(record, context)
            if value.__class__ is str:
                if value:
                    parts.append(value)
            elif value is not None:
                parts += _values_of(value, source, sources, context)
        if len(parts) > _FEW:
            check_size(sum(map(len, parts)) + len(glue) * len(parts))
        made = glue.join(parts)
        if len(made) > FREE:
            context.work.charge_result(within_limit(made))
        return made

    return evaluate


def _join_many(separator: Evaluate, sources: list[Evaluate]) -> Evaluate:
    """Join many sources. The length is checked while the values are collected, because thousands of long values could fill the memory."""

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        glue = separator(record, context) or ""
        parts: list[str] = []
        size = -len(glue)
        for source in sources:
            found = _values_of(source(record, context), source, sources, context)
            size += sum(map(len, found)) + len(glue) * len(found)
            check_size(size)
            parts += found
        made = glue.join(parts)
        context.work.charge_result(made)
        return made

    return evaluate


def _values_of(
    value: ExpressionValue, source: Evaluate, sources: list[Evaluate], context: EvaluationContext
) -> list[str]:
    """Return the non-empty values of *source*. Errors name the source."""
    try:
        context.work.charge_result(value)
        return [part for part in to_values(value, "source") if part]
    except ExpressionTrouble as trouble:
        trouble.index = sources.index(source) + 1
        raise


@function(
    "Split",
    text("source", "the text to split"),
    text("delimiter", "the delimiter"),
    cost=1,
    returns=ValueKind.VALUES,
    meaning="The parts of the source between the delimiters, without surrounding spaces. Null and empty give no value.",
    examples=[
        Example(
            'Split([extensionAttribute5], ",")',
            ["PermissionSetOne", "PermissionSetTwo"],
            {"extensionAttribute5": "PermissionSetOne, PermissionSetTwo"},
        ),
    ],
)
def split(source: str | None, delimiter: str | None) -> tuple[str, ...]:
    if not delimiter:
        raise ExpressionTrouble(
            "needs a delimiter, but it is empty", argument="delimiter", expected="at least one character"
        )
    if not source:
        return ()
    parts = source.split(delimiter, MAX_VALUES)
    if len(parts) > MAX_VALUES:
        raise ExpressionTrouble(f"found more than {MAX_VALUES:,} parts", argument="source")
    return tuple(part.strip() for part in parts)


@function(
    "Item",
    several("attribute", "several values"),
    integer("index", "the position, from 1"),
    returns=ValueKind.TEXT,
    meaning="The value at a position. Fails if the position does not exist.",
    examples=[Example("Item([proxyAddresses], 1)", "SMTP:anna@contoso.com", _PROXIES)],
)
def item(attribute: tuple[str, ...], index: int) -> str:
    if not 1 <= index <= len(attribute):
        have = f"has {counted(len(attribute), 'value')}"
        raise ExpressionTrouble(
            f"found no value number {index}: the attribute {have}", argument="index", expected="1 or more"
        )
    return attribute[index - 1]


@function(
    "Count",
    several("attribute", "several values"),
    returns=ValueKind.INTEGER,
    meaning="The number of values; 0 for null.",
    examples=[Example("Count([proxyAddresses])", 3, _PROXIES), Example("Count([proxyAddresses])", 0, {})],
)
def count(attribute: tuple[str, ...]) -> int:
    return len(attribute)


@function(
    "RemoveDuplicates",
    several("attribute", "several values"),
    returns=ValueKind.VALUES,
    meaning="Every value once, in order of first occurrence. Case matters.",
    examples=[
        Example("RemoveDuplicates([proxyAddresses])", ["SMTP:anna@contoso.com", "smtp:a.lind@contoso.com"], _PROXIES),
    ],
)
def remove_duplicates(attribute: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(attribute))


@function(
    "Contains",
    several("attribute", "several values"),
    text("search", "what a value must contain"),
    word("case", "CaseSensitive (default) or CaseInsensitive", ("CaseSensitive", "CaseInsensitive"), optional=True),
    cost=3,
    returns=ValueKind.INTEGER,
    meaning="The position of the first value that contains the text; 0 if none does.",
    examples=[
        Example('Contains([proxyAddresses], "smtp:")', 2, _PROXIES),
        Example('Mid(Item([proxyAddresses],Contains([proxyAddresses], "SMTP:")),6)', "anna@contoso.com", _PROXIES),
    ],
)
def contains(attribute: tuple[str, ...], search: str | None, case: str | None = None) -> int:
    wanted = search or ""
    if case == "CaseInsensitive":
        wanted, attribute = wanted.lower(), tuple(value.lower() for value in attribute)
    return next((position for position, value in enumerate(attribute, 1) if wanted in value), 0)


@form(
    "Trim",
    several("value", "a text, or several values"),
    returns=ValueKind.ANY,
    meaning="The text with white space removed from both ends; for several values, from both ends of each.",
    examples=[Example('Trim(" Test ")', "Test"), Example("Trim([tags])", ["a", "b"], {"tags": [" a", "b "]})],
)
def trim(call: Form) -> Evaluate:
    read = call.arguments[0].evaluate

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        value = read(record, context)
        context.work.charge_result(value)
        if isinstance(value, (tuple, list)):
            return tuple(part.strip() for part in to_values(value, "value"))
        one = to_text(value, "value")
        return None if one is None else one.strip()

    return evaluate
