"""No modules import each other in a circle, not even for the type checker: each can be read after the ones that it imports."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.source import nodes_of

SOURCE = Path(__file__).resolve().parents[2] / "src"
FILES = {
    ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(SOURCE.rglob("*.py"))
}


def imports_of(module: str) -> set[str]:
    """The modules of both products that *module* imports. The packages around it do not count."""
    found = set()
    for node in nodes_of(FILES[module]):
        if isinstance(node, ast.ImportFrom):
            named = {f"{node.module}.{one.name}" for one in node.names}
            found |= {one if one in FILES else node.module or "" for one in named}
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
    return {one for one in found if one in FILES and one != module and not module.startswith(f"{one}.")}


def test_no_modules_import_each_other_in_a_circle() -> None:
    imports = {module: imports_of(module) for module in FILES}
    assert sum(map(len, imports.values())) > 5000

    try:
        TopologicalSorter(imports).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))
