"""The tests that docs/acceptance-checks.md names exist, and each check has a row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "acceptance-checks.md"
CHECKS = 21
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def rows() -> dict[int, str]:
    """The column *Held by* of each check, by number."""
    lines = re.findall(r"^\| (\d+) \|[^|]*\|([^|]*)\|[^|]*\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {int(number): held_by for number, held_by in lines}


def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_check_has_a_row_that_names_a_test() -> None:
    found = rows()

    assert list(found) == list(range(1, CHECKS + 1))
    assert [number for number, held_by in found.items() if not _TEST.search(held_by)] == []


def test_every_named_test_exists() -> None:
    named = _TEST.findall(PAGE.read_text(encoding="utf-8"))

    missing = [
        f"{path}::{test}"
        for path, test in named
        if not (ROOT / path).is_file() or (test and test not in functions_in(ROOT / path))
    ]
    assert missing == [] and named
