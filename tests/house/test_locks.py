"""Every advisory lock has a name, and the names of a product are in one module: two locks can then not be the same one by mistake."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

from tests.support.source import nodes_of

SOURCE = Path(__file__).resolve().parents[2] / "src"
ADVISORY = "lockstep/postgres/advisory_locks.py"
OF_BOTH = "lockstep/postgres/migrate.py"
NAMES = {"lockstep/storage/locks.py", "documo/store/locks.py", OF_BOTH}
VARYING = "{}"


def files_with(pattern: str, *suffixes: str) -> set[str]:
    return {
        str(file.relative_to(SOURCE))
        for suffix in suffixes
        for file in SOURCE.rglob(f"*.{suffix}")
        if re.search(pattern, file.read_text(encoding="utf-8"))
    }


def names_of_locks(*files: str) -> list[str]:
    """The argument of each call of `LockName`. What varies in a name is written as {}."""
    return [
        "".join(str(part.value) if isinstance(part, ast.Constant) else VARYING for part in parts_of(node.args[0]))
        for file in files
        for node in nodes_of(SOURCE / file)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "LockName"
    ]


def parts_of(argument: ast.expr) -> list[ast.expr]:
    return argument.values if isinstance(argument, ast.JoinedStr) else [argument]


def may_be_equal(one: str, other: str) -> bool:
    """Whether the lock *one* has the name of the lock *other* for some value of what varies in it."""
    return re.fullmatch(".*".join(map(re.escape, one.split(VARYING))), other) is not None


def test_one_module_asks_postgresql_for_advisory_locks() -> None:
    assert files_with(r"pg_\w*advisory", "py", "sql") == {ADVISORY}


def test_locks_are_named_in_the_module_for_the_locks_of_their_product() -> None:
    assert files_with(r"\bLockName\b", "py") == NAMES | {ADVISORY}


@pytest.mark.parametrize("product", ["lockstep/storage/locks.py", "documo/store/locks.py"])
def test_no_two_locks_of_a_product_can_have_one_name(product: str) -> None:
    names = names_of_locks(product, OF_BOTH)

    assert len(names) >= 5
    assert [pair for pair in itertools.permutations(names, 2) if may_be_equal(*pair)] == []
