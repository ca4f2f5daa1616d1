"""FormatDateTime: convert a date from one format to another. The zone is never converted; the date stays as written.

There is also a short form without styles: `FormatDateTime(source, input format, output format)`.
"""

from __future__ import annotations

from lockstep.engine.expressions.catalogue import Example, Form, form, text
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.dotnet_formats import format_date, parts_of
from lockstep.engine.expressions.dotnet_parsing import DEFAULT_STYLES, parse_date_exactly, parse_styles
from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.kinds import Evaluate, ValueKind
from lockstep.engine.expressions.values import AttributeRecord, ExpressionValue


@form(
    "FormatDateTime",
    text("source", "the date's text"),
    text("styles", "DateTimeStyles; empty: RoundtripKind, AllowLeadingWhite, AllowTrailingWhite", optional=True),
    text("input format", "the .NET format of the source"),
    text("output format", "the .NET format of the result"),
    returns=ValueKind.TEXT,
    meaning="Converts a date to another format. Fails if the source does not match the input format.",
    remarks="The styles can also be omitted: if there are only three arguments, they are source, input format and output format.",
    minimum=3,
    pure=False,  # a format without a year uses the present one
    examples=[
        Example(
            'FormatDateTime([extensionAttribute1], , "yyyyMMddHHmmss.fZ", "yyyy-MM-dd")',
            "2015-01-23",
            {"extensionAttribute1": "20150123105347.1Z"},
        ),
        Example(
            'FormatDateTime([extensionAttribute1], "yyyyMMddHHmmss.fZ", "yyyy-MM-dd")',
            "2015-01-23",
            {"extensionAttribute1": "20150123105347.1Z"},
        ),
        Example('FormatDateTime("2020-12-31-08:00", , "yyyy-MM-ddzzz", "d MMMM yyyy")', "31 December 2020"),
    ],
)
def format_date_time(call: Form) -> Evaluate:
    short = len(call.arguments) == 3
    first_format = 1 if short else 2
    read_source = call.argument(0, ValueKind.TEXT)
    read_styles = None if short else call.argument(1, ValueKind.TEXT)
    read_input = call.argument(first_format, ValueKind.TEXT, "input format")
    read_output = call.argument(first_format + 1, ValueKind.TEXT, "output format")
    _check_format(call, first_format, "input format")
    _check_format(call, first_format + 1, "output format")

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        source = read_source(record, context)
        if source is None:
            return None
        styles = parse_styles(read_styles(record, context)) if read_styles else DEFAULT_STYLES
        wanted = read_input(record, context)
        stamp = parse_date_exactly(source, wanted or "", styles, context.moment.now)
        try:
            return format_date(stamp, read_output(record, context) or "")
        except OverflowError:
            raise ExpressionTrouble("is outside the supported range (years 1 to 9999)", argument="source") from None

    return evaluate


def _check_format(call: Form, index: int, name: str) -> None:
    if call.arguments[index].is_empty:
        raise call.wrong("needs a date format, but the argument is empty", index, expected="a date format", name=name)
    if not call.arguments[index].is_constant:
        return
    try:
        parts_of(call.constant_text(index))
    except ExpressionTrouble as trouble:
        raise call.wrong(trouble.message, index, expected=trouble.expected, name=name) from None
