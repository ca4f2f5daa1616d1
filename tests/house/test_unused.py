"""Every definition is used by the product itself: code that only a test calls is not part of the product."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
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


FILES = [file for file in sorted(SOURCE.rglob("*.py")) if "migration" not in str(file.relative_to(SOURCE).parent)]
CALLED_BY_SCRIPTS = {"json_schema": "scripts/generate_configuration_schema.py"}


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


MODULES = set(map(module_of, FILES))


def imports_of(file: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the module, the name and the local name of everything that *file* imports from the product."""
    for node in nodes_of(file):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", one.name, one.asname or one.name) for one in node.names)


def reads_of(statement: ast.stmt) -> Counter[str]:
    """How often *statement* reads each name, also in types that are written as texts."""
    found: Counter[str] = Counter()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found[node.id] += 1
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            found.update(NAME.findall(node.value))
    return found


def names_of(statement: ast.stmt) -> list[str]:
    """The names that *statement* of a module defines, unless a decorator registers them."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return [statement.name] if all(map(_is_plain, statement.decorator_list)) else []
    if isinstance(statement, ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
    return [one.id for one in targets if isinstance(one, ast.Name) and not one.id.startswith("__")]


def read_elsewhere() -> dict[str, set[str]]:
    """By module, the names that other modules import from it, or read as its attributes."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in FILES:
        modules = {}
        for module, name, local in imports_of(file):
            found[module].add(name)
            if f"{module}.{name}" in MODULES:
                modules[local] = f"{module}.{name}"
        for node in nodes_of(file):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                found[modules[node.value.id]].add(node.attr)
    return found


def test_every_name_of_a_module_is_read_there_or_by_another_module() -> None:
    """Unlike the test above, this one is not misled by an equal name in another module."""
    elsewhere = read_elsewhere()
    unused = []
    for file in FILES:
        statements = [(names_of(one), reads_of(one)) for one in tree_of(file).body if not is_docstring(one)]
        everything = sum((reads for _, reads in statements), Counter[str]())
        unused += [
            f"{file.relative_to(SOURCE)}: {name}"
            for names, reads in statements
            for name in names
            if name not in elsewhere[module_of(file)] and everything[name] == reads[name]
            if name not in CALLED_FROM_OUTSIDE | CALLED_BY_SCRIPTS
        ]

    assert unused == ["lockstep/cli/__init__.py: main"]


def is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def test_every_field_of_a_dataclass_is_read() -> None:
    """Or a pattern matches its class by position, or its name is in a text or a template, by which a value can be read."""
    templates = [file.read_text(encoding="utf-8") for file in SOURCE.rglob("templates/**/*.html")]
    read = {name for text in templates for name in NAME.findall(text)}
    matched: set[str] = set()
    fields: list[tuple[str, str, str]] = []
    for file in FILES:
        docstrings = {id(node.value) for node in nodes_of(file) if isinstance(node, ast.Expr)}
        for node in nodes_of(file):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                read.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                read.update(NAME.findall(node.value))
            elif isinstance(node, ast.MatchClass) and node.patterns:
                matched.add(ast.unparse(node.cls))
            elif isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(one) for one in node.decorator_list):
                fields += [
                    (f"{file.relative_to(SOURCE)}: {node.name}.{one.target.id}", node.name, one.target.id)
                    for one in node.body
                    if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
                ]

    assert len(fields) > 1000
    assert [field for field, of, name in fields if name not in read and of not in matched] == []
