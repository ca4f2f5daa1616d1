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

An expression computes the value of a target attribute from attributes of the person. The language is Microsoft Entra's for attribute
mappings: an expression that works there works here and gives the same value.

## Syntax

- An expression is one call, `Name(argument, ...)`. Calls can be nested. Names are case-sensitive.
- An argument is an attribute `[mail]`, a text `"text"`, a whole number `3` or `&HF`, or a call. It may be empty: `Switch([a], , "x", "y")`.
- In a text, write `\\\\` for a backslash and `\\"` for a quotation mark. Any other backslash stays as it is.
- Comparisons `=` `<>` `>` `>=` `<` `<=` are allowed only in the condition of IIF and CBool. They compare numbers if both sides are whole
  numbers, otherwise texts, with case. A missing attribute counts as an empty text. For AND and OR, nest IIF.
- If IIF, Switch or Coalesce returns `IgnoreAttributeFlow` or `IgnoreObjectFlow`, the attribute or the whole object is left out.
- Truth values are the texts `True` and `False`. Positions count from 1. A null source gives null unless the function says otherwise.
- Limits: 10,000 characters, 64 levels of nesting and 50 patterns in an expression, 65,536 characters in a text that a function returns.
- The work of one evaluation is limited too, counted in characters and values. An expression that exceeds it fails, always at the same
  place.

## Dates

Dates are ISO 8601 (`2021-06-30`, `2021-06-30T08:00:00+02:00`, with a space instead of the T if you like) or `M/d/yyyy h:mm:ss tt`.
Without an offset they are in UTC. Date functions return UTC in the form `M/d/yyyy h:mm:ss tt`. FormatDateTime takes .NET's date
formats, custom and standard.

## Patterns

Regular expressions are .NET's, as far as they can run in linear time: groups `(?<name>...)`, replacements `${name}`, `$1`, `$$`, `$&`.
Unnamed groups are numbered first, as in .NET. `\\d`, `\\w` and `\\s` cover Unicode, `\\b` covers ASCII. Lookahead, lookbehind,
backreferences, atomic groups, conditionals and the subtraction of classes are refused, with their place in the pattern. A scoping
filter accepts lookaheads at the beginning of its pattern: `^(?!svc_).*@contoso\\.com$`.

## Trying and testing

`lockstep expr eval 'Left([mail], 4)' --set mail=anna@contoso.com --explain` shows the value of every part; `lockstep expr repl` evaluates
expressions as you type them. `lockstep expr test FILE` runs test cases, one JSON object on each line:

```json
{"expr": "Left([mail], 4)", "in": {"mail": "anna@contoso.com"}, "out": "anna"}
```

`out` is a text, a number, a list, null, `"<dropped>"`, `"<object ignored>"`, `"<error>"` or `{"regex": "..."}`, which must match the whole
text. `now` sets the time, `taken` lists the values that are in use in the application, and `id` names the case.
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
    yield f"`{function.signature}` returns {function.returns.value}\n"
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
