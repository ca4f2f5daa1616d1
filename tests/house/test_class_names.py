"""One word, one thing: no two public classes or aliases of types have the same name, and no class is named by a participle alone."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from tests.support.source import tree_of

SOURCE = Path(__file__).resolve().parents[2] / "src"
PARTICIPLE = re.compile("[A-Z][a-z]*(ed|aken|iven|nown|osen|ritten)|Held|Kept|Left|Lost|Made|Sent")
MAKES_A_TYPE = {"NewType", "namedtuple", "NamedTuple", "TypedDict"}


def public_classes() -> list[tuple[str, ast.ClassDef]]:
    return [
        (str(file.relative_to(SOURCE)), node)
        for file in sorted(SOURCE.rglob("*.py"))
        for node in tree_of(file).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def assigned_types() -> list[tuple[str, str, bool]]:
    """The file and the name of each alias of a type and each type variable, and whether it is a type variable."""
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        for node in tree_of(file).body:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if not (
                value is not None
                and isinstance(target, ast.Name)
                and re.fullmatch("[A-Z]([A-Za-z0-9]*[a-z])?", target.id)
            ):
                continue
            is_variable = isinstance(value, ast.Call) and ast.unparse(value.func) in ("TypeVar", "ParamSpec")
            is_made = isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in MAKES_A_TYPE
            is_alias = (
                is_made
                or isinstance(value, ast.Subscript | ast.BinOp | ast.Name)
                or (isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias")
            )
            if is_variable or is_alias:
                found.append((str(file.relative_to(SOURCE)), target.id, is_variable))
    return found


def test_the_name_of_a_type_stands_once_in_both_products() -> None:
    """Type variables may repeat each other, because their names mean nothing outside their module."""
    places: dict[str, list[str]] = defaultdict(list)
    for file, node in public_classes():
        places[node.name].append(file)
    variables: dict[str, list[str]] = defaultdict(list)
    for file, name, is_variable in assigned_types():
        (variables if is_variable else places)[name].append(file)
    for name in places.keys() & variables.keys():
        places[name] += variables[name]

    assert (len(variables) > 10, len(assigned_types()) > 100) == (True, True)
    doubled = {name: files for name, files in places.items() if len(files) > 1}
    assert (len(places) > 1000, doubled) == (True, {}), "name the less central class for what it is"


def error_classes() -> set[str]:
    """The classes that are raised: their names may be participles, such as `Refused`."""
    bases = {node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases} for _, node in public_classes()}
    errors = {"Exception", "OSError", "ValueError"}
    while more := {name for name, parents in bases.items() if parents & errors} - errors:
        errors |= more
    return errors


def test_a_type_is_named_for_what_it_is_and_not_by_a_participle() -> None:
    errors = error_classes()

    participles = [
        f"{file}: {node.name}"
        for file, node in public_classes()
        if PARTICIPLE.fullmatch(node.name) and node.name not in errors
    ]

    assert participles == []
