"""Docstrings are true: the exceptions and the members of classes that they name exist."""

from __future__ import annotations

import ast
import builtins
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.support.source import nodes_of

SOURCE = Path(__file__).parents[2] / "src"
# Exceptions of libraries: click and psycopg.
FOREIGN = {"UsageError", "OperationalError", "UniqueViolation"}
OF_DOTNET = {"Replace"}  # of its class Regex


def test_exceptions_that_docstrings_name_exist() -> None:
    files = list(SOURCE.rglob("*.py"))
    bases = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for file in files
        for node in nodes_of(file)
        if isinstance(node, ast.ClassDef)
    }
    known = {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)}
    known |= FOREIGN
    while more := {name for name, parents in bases.items() if parents & known} - known:
        known |= more

    wrong = [
        f"{file.relative_to(SOURCE)}: {name}"
        for file in files
        for docstring in _docstrings(file)
        for name in re.findall(r"\bRaises? `?([A-Z]\w+)", docstring)
        if name not in known
    ]

    assert not wrong


def test_members_of_classes_that_docstrings_name_exist() -> None:
    files = list(SOURCE.rglob("*.py"))
    members: dict[str, set[str]] = defaultdict(set)
    for file in files:
        for node in nodes_of(file):
            if isinstance(node, ast.ClassDef):
                members[node.name] |= {word for line in node.body for word in re.findall(r"\w+", ast.unparse(line))}

    wrong = [
        f"{file.relative_to(SOURCE)}: {name}.{member}"
        for file in files
        for docstring in _docstrings(file)
        for name, member in re.findall(r"(?<![\w./\"'])([A-Z][a-z]\w+)\.(\w+)", docstring)
        if member not in members[name] | OF_DOTNET
    ]

    assert not wrong


def test_docstrings_begin_with_what_the_thing_is_or_does() -> None:
    """A class or module is a noun, a function a verb; a clause such as "What it may contain" must be read twice."""
    clauses = [
        f"{file.relative_to(SOURCE)}: {docstring[:60]}"
        for file in SOURCE.rglob("*.py")
        for docstring in _docstrings(file)
        if re.match(r"(What|How|Who|Whom|Whose|Whoever)\b", docstring)
    ]

    assert clauses == []


def _docstrings(file: Path) -> Iterator[str]:
    for node in nodes_of(file):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield " ".join((ast.get_docstring(node) or "").split())
