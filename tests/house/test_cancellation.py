"""A cancellation is never lost: before Python 3.12, `asyncio.wait_for` drops one that comes at the moment the wait has ended.

`asyncio.timeout` is used instead.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def waits_for(tree: ast.AST) -> list[int]:
    """Return the lines that name `wait_for` of asyncio, however it was imported."""
    return [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.ImportFrom) and _names_it(node)
    ]


def _names_it(node: ast.Attribute | ast.ImportFrom) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "wait_for" and _is_asyncio(node.value)
    is_asyncio = (node.module or "").split(".")[0] == "asyncio"
    return is_asyncio and any(one.name == "wait_for" for one in node.names)


def _is_asyncio(value: ast.expr) -> bool:
    if isinstance(value, ast.Attribute):
        return _is_asyncio(value.value)
    return isinstance(value, ast.Name) and value.id == "asyncio"


def test_nothing_waits_with_wait_for() -> None:
    assert [
        f"{file.relative_to(ROOT)}:{line}"
        for file in sorted((ROOT / "src").rglob("*.py"))
        for line in waits_for(ast.parse(file.read_text(encoding="utf-8")))
    ] == []


def test_wait_for_is_found_however_it_was_imported() -> None:
    for text in (
        "import asyncio\nasyncio.wait_for(x, 1)",
        "from asyncio import wait_for",
        "asyncio.tasks.wait_for(x, 1)",
    ):
        assert waits_for(ast.parse(text)) != []
