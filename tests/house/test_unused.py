"""Every definition is used by the product itself: code that only a test calls is not part of the product."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from tests.support.source import nodes_of, tree_of

SOURCE = Path(__file__).resolve().parents[2] / "src"
NAME = re.compile(r"\b[A-Za-z_]\w*\b")
# Called by code other than ours.
CALLED_FROM_OUTSIDE = {
    "compile_text": "the meaning of a filter, with which tests compare Documo's SQL",
    "documented": "scripts/generate_settings_reference.py",
    "PRIVATE_API": "tests/serving/test_serving_private_api.py, which compares uvicorn with it",
    "read_logout_response": "the tests with other SAML software: Documo ends the session first, and needs no answer",
    "run_sql_beside": "the migrations",
    "ignore_aliases": "PyYAML",
    "capture_signals": "uvicorn",
    "get_help_record": "click",
    "load_bytecode": "Jinja",
    "dump_bytecode": "Jinja",
}


def defined(file: Path) -> list[str]:
    """Functions, methods and classes that no decorator registers, and the constants of a module."""
    found = []
    for node in nodes_of(file):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and all(map(_is_plain, node.decorator_list))
        ) or isinstance(node, ast.ClassDef):
            found.append(node.name)
    for node in tree_of(file).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        found += [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in found if not name.startswith("__")]


def _is_plain(decorator: ast.expr) -> bool:
    """Whether *decorator* only changes how something is called and does not register it."""
    name = ast.unparse(decorator).partition("(")[0].rpartition(".")[2]
    return name in ("property", "cached_property", "staticmethod", "classmethod", "asynccontextmanager", "contextmanager",
                    "lru_cache", "cache", "wraps", "override", "needs")  # fmt: skip


def code_of(file: Path) -> str:
    """The text of *file* without docstrings and comments, which may name what nothing uses."""
    lines = file.read_text(encoding="utf-8").splitlines()
    for node in nodes_of(file):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def test_every_definition_is_named_a_second_time() -> None:
    files = [file for file in SOURCE.rglob("*.py") if "migrations/versions" not in str(file)]
    texts = {file: code_of(file) for file in files}
    templates = [file.read_text(encoding="utf-8") for file in SOURCE.rglob("templates/**/*.html")]
    mentions = Counter(name for text in (*texts.values(), *templates) for name in NAME.findall(text))
    by_pattern = {
        f"_{action}" for action in re.findall(r'"([a-z_]+)"', texts[SOURCE / "documo/sandbox/fault_injection.py"])
    }

    unused = [
        f"{file.relative_to(SOURCE)}: {name}"
        for file in texts
        for name in defined(file)
        if mentions[name] == 1 and name not in CALLED_FROM_OUTSIDE and name not in by_pattern
    ]

    assert unused == []
    assert [name for name in CALLED_FROM_OUTSIDE if mentions[name] > 1] == [], "these need no exception"
