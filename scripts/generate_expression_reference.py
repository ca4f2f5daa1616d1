"""Write docs/reference/expressions.md from the catalogue of functions; with `--check`, only report whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import orjson

from lockstep.engine.expressions import compile_expression
from lockstep.engine.expressions.catalogue import CATALOGUE, Example, Function, Parameter

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "expressions.md"
FAMILIES = {
    "text": "Text",
    "lists": "Several values",
    "logic": "Decisions",
    "replace": "Replacing",
    "dates": "Dates",
    "date_formats": "Date formats",
    "numbers": "Numbers",
    "encoding": "Encodings",
    "roles": "Roles and the directory",
    "random": "Random values",
    "unique": "Unique values",
    "redaction": "Redaction",
}
INTRODUCTION = """# Expressions

<!-- Written by scripts/generate_expression_reference.py; change the catalogue, not this page. -->

An expression makes the value of a target attribute from attributes of the person. It is Microsoft Entra's language for attribute
mappings: what works there works here, with the same value.

## Syntax

- An expression is one call, `Name(argument, ...)`; calls nest. Names are case-sensitive.
- Arguments are attributes `[mail]`, texts `"text"`, whole numbers `3` and `&HF`, calls. One may be left empty: `Switch([a], , "x", "y")`.
- In a text, write `\\\\` for a backslash and `\\"` for a quotation mark. Any other backslash stays as it is.
- Comparisons `=` `<>` `>` `>=` `<` `<=` are possible in the condition of IIF and CBool only: as numbers where both sides are whole
  numbers, else as texts, case-sensitive. An absent attribute compares as an empty text. For AND and OR, nest IIF.
- `IgnoreAttributeFlow` and `IgnoreObjectFlow` as a result of IIF, Switch or Coalesce leave the attribute, or the object, out of the flow.
- Truth values are the texts `True` and `False`. Positions count from 1. A null source gives null unless the function says otherwise.
- At most 10,000 characters, 64 levels of nesting, 50 patterns; a text that a function makes has at most 65,536 characters.
- The work of one evaluation is counted in characters and values: very long texts in very many functions end in an error, always in
  the same place.

## Dates

Dates are ISO 8601 (`2021-06-30`, `2021-06-30T08:00:00+02:00`, a blank in place of the T) or `M/d/yyyy h:mm:ss tt`. Without an offset they
are in UTC; date functions give UTC in the form `M/d/yyyy h:mm:ss tt`. FormatDateTime takes .NET's date formats, custom and standard.

## Patterns

Regular expressions are .NET's as far as they can run in linear time: groups `(?<name>...)`, replacements `${name}`, `$1`, `$$`, `$&`.
Groups without a name are counted first, as in .NET. `\\d`, `\\w`, `\\s` know all of Unicode, `\\b` knows ASCII. Not possible, and refused
with the place in the pattern: lookahead, lookbehind, backreferences, atomic groups, conditionals, the subtraction of classes. A scoping
filter takes lookaheads at the beginning of its pattern: `^(?!svc_).*@contoso\\.com$`.

## Trying and testing

`lockstep expr eval 'Left([mail], 4)' --set mail=anna@contoso.com --explain` shows the value of every part, `lockstep expr repl` takes one
expression after the other. `lockstep expr test FILE` runs cases, one JSON object on each line:

```json
{"expr": "Left([mail], 4)", "in": {"mail": "anna@contoso.com"}, "out": "anna"}
```

`out` may be a text, a number, a list, null, `"<dropped>"`, `"<object ignored>"`, `"<error>"` or `{"regex": "..."}`, which must match the
whole text. `now` sets the time, `taken` lists the values in use in the target, `id` names the case.
"""


def reference() -> str:
    functions = sorted(CATALOGUE.values(), key=lambda function: (list(FAMILIES).index(function.family), function.name))
    lines = [INTRODUCTION]
    for family, members in groupby(functions, key=lambda function: function.family):
        lines.append(f"## {FAMILIES[family]}\n")
        for function in members:
            lines += _function(function)
    return "\n".join(lines)


def _function(function: Function) -> Iterator[str]:
    yield f"### {function.name}\n"
    yield f"`{function.signature}` gives {function.returns.value}\n"
    yield function.meaning + "\n"
    if function.remarks:
        yield function.remarks + "\n"
    if function.parameters:
        yield "| argument | kind | |"
        yield "|---|---|---|"
        yield from (_parameter(parameter) for parameter in function.parameters)
        yield ""
    for example in function.examples:
        yield from _example(example)


def _parameter(parameter: Parameter) -> str:
    notes = [parameter.kind.value]
    notes += ["optional"] if parameter.optional else []
    notes += ["may be repeated"] if parameter.repeats else []
    return f"| {parameter.name} | {', '.join(notes)} | {parameter.meaning.replace('|', chr(92) + '|')} |"


def _example(example: Example) -> Iterator[str]:
    yield "```"
    yield example.expression
    named = compile_expression(example.expression).attributes
    for name, value in (example.attributes or {}).items():
        if name in named:
            yield f"    {name} = {_json(value)}"
    if example.now:
        yield f"    at {example.now}"
    for value in example.taken:
        yield f"    in use: {_json(value)}"
    is_pattern = isinstance(example.result, dict) and set(example.result) == {"regex"}
    yield f"-> a text like {example.result['regex']}" if is_pattern else f"-> {_json(example.result)}"
    yield "```\n"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def main() -> int:
    text = reference().rstrip() + "\n"
    if "--check" in sys.argv:
        if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
            return 0
        print(
            f"{TARGET.name} is not what the catalogue says; run scripts/generate_expression_reference.py",
            file=sys.stderr,
        )
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
