"""An error says what to do next, also if the operating system refused a file."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.source import nodes_of

SOURCE = Path(__file__).parents[2] / "src"
ERRORS = {"invalid", "not_found", "conflict", "unreachable", "LockstepError"}


def test_error_about_a_refused_file_says_what_to_do_next() -> None:
    wrong = [
        f"{file.relative_to(SOURCE)}:{call.lineno}"
        for file in SOURCE.rglob("*.py")
        for handler in nodes_of(file)
        if isinstance(handler, ast.ExceptHandler)
        and handler.type is not None
        and "OSError" in ast.unparse(handler.type)
        for call in ast.walk(handler)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ERRORS
        if not {"next_step", None} & {keyword.arg for keyword in call.keywords}
    ]

    assert not wrong
