"""Values, explanations and functions of the mapping language as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from lockstep.engine.expressions import Diversion, ExplainedExpression, ExpressionValue
from lockstep.engine.expressions.cases import plain
from lockstep.engine.expressions.catalogue import Example, Function

NULL = "<null>"


def value_text(value: ExpressionValue) -> str:
    """Return a value as text: strings unquoted, multiple values one per line, null and decisions in angle brackets."""
    if isinstance(value, Diversion):
        return value.value
    if value is None:
        return NULL
    if isinstance(value, (tuple, list)):
        return "\n".join(value_text(item) for item in value) or NULL
    if isinstance(value, dict):
        return orjson.dumps(plain(value)).decode()
    return str(value)


def explained_lines(part: ExplainedExpression, indent: int = 0) -> Iterator[str]:
    """Yield one line for each sub-expression with its value, and indent nested ones."""
    if part.error:
        result = "error" if any(child.error for child in part.parts) else part.error
    elif part.is_reached:
        result = part.value.value if isinstance(part.value, Diversion) else orjson.dumps(plain(part.value)).decode()
    else:
        result = "not evaluated"
    yield f"{'  ' * indent}{part.text}  =  {result}"
    for child in part.parts:
        # A constant needs no line: it shows its value already.
        if child.parts or child.text[:1] not in '"0123456789-&':
            yield from explained_lines(child, indent + 1)


def function_text(function: Function) -> str:
    lines = [function.signature, "", function.meaning]
    if function.remarks:
        lines += ["", function.remarks]
    if function.parameters:
        lines += ["", "Arguments"]
        for parameter in function.parameters:
            notes = [parameter.kind.value]
            notes += ["optional"] if parameter.optional else []
            notes += ["may be repeated"] if parameter.repeats else []
            lines.append(f"  {parameter.name} ({', '.join(notes)}): {parameter.meaning}")
    lines += ["", f"Result: {function.returns.value}", "", "Examples"]
    lines += [f"  {_example(example)}" for example in function.examples]
    return "\n".join(lines)


def _example(example: Example) -> str:
    given = f"   where {orjson.dumps(example.attributes).decode()}" if example.attributes else ""
    at = f"   at {example.now}" if example.now else ""
    result = "for example text such as " + example.result["regex"] if _is_pattern(example) else None
    return f"{example.expression}  =  {result or orjson.dumps(example.result).decode()}{given}{at}"


def _is_pattern(example: Example) -> bool:
    return isinstance(example.result, dict) and set(example.result) == {"regex"}
