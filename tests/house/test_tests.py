"""How tests are written: they import each other by their whole names, and never compare a clock with a number."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]
OWN_PROCESSES = {"journeys/django_site/server.py"}  # a Django project, whose settings name its modules
CODE = {str(path.relative_to(TESTS)): ast.parse(path.read_text()) for path in sorted(TESTS.rglob("*.py"))}
MODULES = {path.stem for path in TESTS.rglob("*.py")} - {"__init__", "conftest"}


def test_no_test_changes_where_modules_are_looked_for() -> None:
    changes = [
        name
        for name, tree in CODE.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("sys.path.")
    ]

    assert set(changes) <= OWN_PROCESSES


def test_modules_of_tests_are_imported_by_their_whole_names() -> None:
    short = [
        f"{name}: {node.module}"
        for name, tree in CODE.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in MODULES
    ]

    assert short == []


def test_no_fixture_is_written_twice_for_rooms_that_could_share_it() -> None:
    bodies: dict[str, list[str]] = {}
    for name, tree in CODE.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "pytest.fixture" in map(
                ast.unparse, node.decorator_list
            ):
                bodies.setdefault(ast.unparse(node), []).append(name)

    assert [places for places in bodies.values() if len(places) > 1] == []
