"""How tests are written: they import each other by full names, and never compare a clock reading with a number."""

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


def test_what_tests_share_depends_on_no_test() -> None:
    wrong = [
        f"{name}: {node.module}"
        for name, tree in CODE.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests.")
        if name.startswith("support/") and not node.module.startswith("tests.support")
    ]

    assert wrong == []


def test_no_fixture_is_written_twice_for_rooms_that_could_share_it() -> None:
    bodies: dict[str, list[str]] = {}
    for name, tree in CODE.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "pytest.fixture" in map(
                ast.unparse, node.decorator_list
            ):
                bodies.setdefault(ast.unparse(node), []).append(name)

    assert [places for places in bodies.values() if len(places) > 1] == []


CLOCKS = ("time.monotonic()", "time.perf_counter()", "time.time()")
# Tests of pauses, which require a minimum time: a slow machine does not fail them. The others must be mended.
MEASURED = {
    "documo/test_documo_testing.py": 1,
    "sync/test_sync_turns.py": 3,
    "sync/test_sync_worker.py": 1,
}


def measures_time(node: ast.AST, spans: set[str]) -> bool:
    return any(
        (isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub) and ast.unparse(part.left) in CLOCKS)
        or (isinstance(part, ast.Name) and part.id in spans)
        for part in ast.walk(node)
    )


def test_no_test_fails_because_the_machine_is_slow() -> None:
    found: dict[str, int] = {}
    for name, tree in CODE.items():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            spans = {
                ast.unparse(node.targets[0])
                for node in ast.walk(function)
                if isinstance(node, ast.Assign) and measures_time(node.value, set())
            }
            found[name] = found.get(name, 0) + sum(
                isinstance(node, ast.Assert) and measures_time(node.test, spans) for node in ast.walk(function)
            )

    assert {name: count for name, count in found.items() if count > MEASURED.get(name, 0)} == {}
