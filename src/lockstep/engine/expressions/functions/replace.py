"""The function Replace, which has five modes. The arguments that are present decide which one applies.

An empty slot counts as absent; `""` is a value and counts as present. Comparisons are case-sensitive.
"""

from __future__ import annotations

from collections.abc import Callable

from lockstep.engine.expressions.catalogue import Example, Form, form, text
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionTrouble, shown
from lockstep.engine.expressions.kinds import Evaluate, ValueKind
from lockstep.engine.expressions.patterns import Pattern, compile_pattern, replace_group, replace_matches
from lockstep.engine.expressions.values import AttributeRecord, ExpressionValue, check_size

SOURCE, OLD, PATTERN, GROUP, NEW, OTHER, TEMPLATE = range(7)
_PHONE = r'"\\+(?<isdCode>\\d* )(?<phoneNumber>\\d{10})"'

_MODES: dict[frozenset[int], Callable[[Form], Evaluate]] = {}


@form(
    "Replace",
    text("source", "the text"),
    text("old value", "the text to replace, in the source or in the template", optional=True),
    text("pattern", "a .NET regular expression", optional=True),
    text("group name", "a group of the pattern", optional=True),
    text("replacement", "the new text; ${name} and $1 refer to groups", optional=True),
    text("replacement attribute", "the attribute to use if the source is empty", optional=True),
    text("template", "a text in which the old value is replaced by the source", optional=True),
    returns=ValueKind.TEXT,
    meaning="Replaces in one of five ways, depending on which arguments are present.",
    remarks=(
        "With old value and replacement, every old value in the source is replaced. With old value and template, every old value in the "
        "template is replaced by the source. With pattern and replacement, every match in the source is replaced; if a group is given "
        "too, only the text of the group. With pattern, group and replacement attribute, the result is the source or, if the source is "
        "empty, the text of the group in the other attribute."
    ),
    minimum=2,
    examples=[
        Example('Replace([mail], "@contoso.com", , ,"", ,)', "john.doe", {"mail": "john.doe@contoso.com"}),
        Example(
            'Replace([BusinessTitle],"Product Developer", , , "Software Engineer", , )',
            "Software Engineer",
            {"BusinessTitle": "Product Developer"},
        ),
        Example(
            'Replace([UserID],"<username>", , , , , "<username>@contoso.com")',
            "jsmith@contoso.com",
            {"UserID": "jsmith"},
        ),
        Example(
            f'Replace([telephoneNumber], , {_PHONE}, , "${{phoneNumber}}", , )',
            "9998887777",
            {"telephoneNumber": "+91 9998887777"},
        ),
        Example(r'Replace([mobile], , "[()\\s-]+", , "", , )', "+19998887777", {"mobile": "+1 (999) 888-7777"}),
        Example(
            r'Replace([AddressLineData], ,"(?<streetNumber>^\\d*)","streetNumber", "888", , )',
            "888 Tremont Street",
            {"AddressLineData": "545 Tremont Street"},
        ),
        Example(
            'Replace([userPrincipalName], , "(?<Suffix>@(.)*)", "Suffix", "", , )',
            "jsmith",
            {"userPrincipalName": "jsmith@contoso.com"},
        ),
        Example(
            f'Replace([telephoneNumber], , {_PHONE}, "phoneNumber" , , [mobile], )',
            "8887779999",
            {"telephoneNumber": "", "mobile": "+91 8887779999"},
        ),
        Example('Replace([mailNickname], , "[a-zA-Z_]*", , "", , )', "72", {"mailNickname": "john_doe72"}),
    ],
)
def replace(call: Form) -> Evaluate:
    present = frozenset(index for index in range(1, 7) if call.is_present(index))
    mode = _MODES.get(present)
    if mode is None:
        raise call.wrong(
            "needs one of these combinations: old value and replacement, old value and template, pattern and replacement, "
            "pattern, group name and replacement, or pattern, group name and replacement attribute",
            expected="one of the five combinations",
        )
    return mode(call)


def _mode(*present: int) -> Callable[[Callable[[Form], Evaluate]], Callable[[Form], Evaluate]]:
    def enter(build: Callable[[Form], Evaluate]) -> Callable[[Form], Evaluate]:
        _MODES[frozenset(present)] = build
        return build

    return enter


@_mode(OLD, NEW)
def _old_by_new(call: Form) -> Evaluate:
    source, old, new = (call.argument(index, ValueKind.TEXT) for index in (SOURCE, OLD, NEW))

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        text = source(record, context)
        if text is None:
            return None
        return _replaced(text, old(record, context), new(record, context) or "")

    return evaluate


@_mode(OLD, TEMPLATE)
def _old_in_template_by_source(call: Form) -> Evaluate:
    source, old, template = (call.argument(index, ValueKind.TEXT) for index in (SOURCE, OLD, TEMPLATE))

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        text = source(record, context)
        if text is None:
            return None
        return _replaced(template(record, context) or "", old(record, context), text)

    return evaluate


@_mode(PATTERN, NEW)
def _matches_by_new(call: Form) -> Evaluate:
    source, pattern, new = call.argument(SOURCE, ValueKind.TEXT), _pattern(call), call.argument(NEW, ValueKind.TEXT)

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        text = source(record, context)
        if text is None:
            return None
        return replace_matches(pattern(record, context), text, new(record, context) or "", context.work)

    return evaluate


@_mode(PATTERN, GROUP, NEW)
def _group_by_new(call: Form) -> Evaluate:
    source, pattern, new = call.argument(SOURCE, ValueKind.TEXT), _pattern(call), call.argument(NEW, ValueKind.TEXT)
    group = call.argument(GROUP, ValueKind.TEXT)
    _check_group(call)

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        text = source(record, context)
        if text is None:
            return None
        found = pattern(record, context)
        return replace_group(
            found, text, _group(found, group(record, context)), new(record, context) or "", context.work
        )

    return evaluate


@_mode(PATTERN, GROUP, OTHER)
def _source_or_group_of_other(call: Form) -> Evaluate:
    source, pattern, other = call.argument(SOURCE, ValueKind.TEXT), _pattern(call), call.argument(OTHER, ValueKind.TEXT)
    group = call.argument(GROUP, ValueKind.TEXT)
    _check_group(call)

    def evaluate(record: AttributeRecord, context: EvaluationContext) -> ExpressionValue:
        text = source(record, context)
        if text:
            return text
        content = other(record, context)
        if content is None:
            return None
        found = pattern(record, context)
        number = _group(found, group(record, context))
        match = found.first(content, context.work)
        span = match.groups[number] if match else None
        return content[span[0] : span[1]] if span else None

    return evaluate


def _replaced(text: str, old: str | None, new: str) -> str:
    if not old:
        raise ExpressionTrouble(
            "needs an old value, but it is empty", argument="old value", expected="at least one character"
        )
    check_size(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def _pattern(call: Form) -> Evaluate:
    """Return a closure that gives the compiled pattern. A constant pattern is compiled, or refused, at compile time."""
    argument = call.arguments[PATTERN]
    if not argument.is_constant:
        read = call.argument(PATTERN, ValueKind.TEXT)
        return lambda record, context: compile_pattern(read(record, context) or "")
    try:
        compiled = compile_pattern(call.constant_text(PATTERN))
    except ExpressionTrouble as trouble:
        raise call.error_from(trouble) from None
    return lambda record, context: compiled


def _check_group(call: Form) -> None:
    pattern, group = call.arguments[PATTERN], call.arguments[GROUP]
    if pattern.is_constant and group.is_constant:
        try:
            _group(compile_pattern(call.constant_text(PATTERN)), call.constant_text(GROUP))
        except ExpressionTrouble as trouble:
            raise call.error_from(trouble) from None


def _group(pattern: Pattern, name: str | None) -> int:
    if name not in pattern.groups:
        known = ", ".join(group for group in pattern.groups if group != "0") or "none"
        message = f"found no group {shown(name)} in the pattern; its groups are {known}"
        raise ExpressionTrouble(message, argument="group name", expected="a group of the pattern")
    return pattern.groups[name]
