"""Every advisory lock has a name, and the names of a product are in one module: two locks can then not be the same one by mistake."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.source import nodes_of

SOURCE = Path(__file__).resolve().parents[2] / "src"
NAMES = {"lockstep/storage/locks.py", "documo/store/locks.py", "lockstep/postgres/migrate.py"}


def names_of_locks() -> list[tuple[str, str]]:
    """The file and the argument of each call of `LockName`. What varies in a name is left out."""
    return [
        (str(file.relative_to(SOURCE)), re.sub(r"{.*?}", "{}", ast.unparse(node.args[0]).lstrip("f")))
        for file in sorted(SOURCE.rglob("*.py"))
        for node in nodes_of(file)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "LockName"
    ]


def test_one_module_asks_postgresql_for_advisory_locks() -> None:
    asks = [
        str(file.relative_to(SOURCE))
        for suffix in ("py", "sql")
        for file in SOURCE.rglob(f"*.{suffix}")
        if re.search(r"pg_\w*advisory", file.read_text(encoding="utf-8"))
    ]

    assert asks == ["lockstep/postgres/advisory_locks.py"]


def test_locks_are_named_in_the_module_for_the_locks_of_their_product() -> None:
    assert {file for file, _ in names_of_locks()} == NAMES


def test_no_two_locks_of_a_product_have_one_name() -> None:
    names = names_of_locks()

    assert len(names) > 10
    assert sorted(names) == sorted(set(names))
