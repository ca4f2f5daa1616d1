"""The source as trees. Each file is parsed and walked once in a test process, however many rules look at it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def nodes_of(file: Path) -> tuple[ast.AST, ...]:
    """Every node of the file, as `ast.walk` gives them."""
    return tuple(ast.walk(tree_of(file)))
