"""A number and its noun are written by `lockstep.wording.counted`, so that no message says "1 objects"."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"
# Rooms whose messages people read; SCIM's and the expressions' own speak of limits, which are never one.
ROOMS = ("lockstep/actions", "lockstep/cli", "lockstep/sync", "lockstep/directory", "documo/cli")
NOUNS = (
    "people|entries|objects|accounts|writes|members|groups|roles|filters|keys|rows|values|attributes|columns|tokens|assignments|links"
    "|changes|applications|sources|days|hours|minutes|seconds"
)
NOUN = re.compile(rf" (?:more )?(?:[a-z]+ )?(?:{NOUNS})\b")


def plurals(source: str) -> Iterator[tuple[int, str]]:
    """Every place in an f-string where a number that may be one is followed by a plural."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for number, text in zip(node.values, node.values[1:], strict=False):
            if not (isinstance(number, ast.FormattedValue) and isinstance(text, ast.Constant)):
                continue
            spec = ast.unparse(number.format_spec) if number.format_spec is not None else ""
            counts = "," in spec or (isinstance(number.value, ast.Call) and ast.unparse(number.value.func) == "len")
            is_limit = isinstance(number.value, ast.Name) and number.value.id.lstrip("_").isupper()
            if counts and not is_limit and NOUN.match(str(text.value)):
                yield node.lineno, ast.unparse(node)


def test_number_and_noun_are_written_by_one_function() -> None:
    found = [
        f"{file.relative_to(SRC)}:{line}: {text}"
        for room in ROOMS
        for file in sorted((SRC / room).rglob("*.py"))
        for line, text in plurals(file.read_text(encoding="utf-8"))
    ]

    assert found == []


@pytest.mark.parametrize(
    ("source", "number"), [('f"{n:,} objects"', 1), ('f"{len(a)} more rows"', 1), ('f"{MOST:,} rows"', 0)]
)
def test_plural_after_a_number_is_noticed(source: str, number: int) -> None:
    assert len(list(plurals(source))) == number
